import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { refuse, unpackValid } from '@flotilla/envoy';
import { compileStrictCheck, type StrictCheck } from '../strict-headers.ts';
import type { FilterConfig } from './filter-config.ts';

/** Settings of the router filter. */
export interface RouterSettings {
  /** Null: no header is checked. */
  readonly strictCheck: StrictCheck | null;
  /** Add no `x-envoy-*` headers to requests and responses. */
  readonly suppressEnvoyHeaders: boolean;
  /** Keep a received `x-envoy-expected-rq-timeout-ms` as the timeout. */
  readonly respectExpectedRqTimeout: boolean;
}

/** Compiles the router filter. Throws `invalid`. */
export function compileRouterFilter({ message }: FilterConfig): RouterSettings {
  const config = message === null ? undefined : unpackValid(message, RouterSchema);
  if (config === undefined) return refuse('router', 'cannot be decoded');
  if (config.upstreamHttpFilters.some(({ name }) => !isCodec(name))) {
    refuse('upstream_http_filters', 'may hold the codec alone: requests pass filters before they are routed');
  }
  return {
    strictCheck: compileStrictCheck(config.strictCheckHeaders),
    suppressEnvoyHeaders: config.suppressEnvoyHeaders,
    respectExpectedRqTimeout: config.respectExpectedRqTimeout,
  };
}

function isCodec(name: string): boolean {
  return name === 'envoy.filters.http.upstream_codec';
}
