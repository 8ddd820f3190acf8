import type { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { HeaderMatcherSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { Init } from './protobuf.ts';

/**
 * On an answer that a sidecar gave because it could not connect to its application: nobody has seen the request, so
 * whoever sent it may send it elsewhere, whatever its method is. Envoy has no word for that between two proxies. An
 * inbound listener sets it, an outbound route's retries go by it, and both take it off what applications send and get.
 */
export const UNREACHED_HEADER = 'x-flotilla-unreached';

/** For an inbound connection manager: marks its own answers to failed connections (response flag UF). */
export function marksUnreached(): Init<typeof HttpConnectionManagerSchema>['localReplyConfig'] {
  return {
    mappers: [
      {
        filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: ['UF'] } } },
        headersToAdd: [{ header: { key: UNREACHED_HEADER, value: 'true' } }],
      },
    ],
  };
}

/** For a retry policy's `retriable_headers`. */
export const UNREACHED_MATCH: Init<typeof HeaderMatcherSchema> = {
  name: UNREACHED_HEADER,
  headerMatchSpecifier: { case: 'presentMatch', value: true },
};
