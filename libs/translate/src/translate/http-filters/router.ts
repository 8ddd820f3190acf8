import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { typed } from '../protobuf.ts';
import { defineHttpFilter } from './http-filter.ts';

/** Sends the request on: the last of all filters. */
export const router = defineHttpFilter({
  name: 'envoy.filters.http.router',
  guards: false,
  negotiated: null,
  inputs: () => ({}),
  manager: () => typed(RouterSchema, {}),
});
