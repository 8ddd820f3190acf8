import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { refuse, refuseWhen, unpackValid } from '@flotilla/envoy';
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
  refuseWhen(config.upstreamLog.length > 0, 'upstream_log');
  refuseWhen(
    config.upstreamHttpFilters.some(({ name }) => !isCodec(name)),
    'upstream_http_filters',
  );
  refuseWhen(config.startChildSpan, 'start_child_span');
  refuseWhen(config.dynamicStats === false, 'dynamic_stats: false');
  refuseWhen(config.upstreamLogOptions !== undefined, 'upstream_log_options');
  refuseWhen(config.suppressGrpcRequestFailureCodeStats, 'suppress_grpc_request_failure_code_stats');
  return {
    strictCheck: compileStrictCheck(config.strictCheckHeaders),
    suppressEnvoyHeaders: config.suppressEnvoyHeaders,
    respectExpectedRqTimeout: config.respectExpectedRqTimeout,
  };
}

function isCodec(name: string): boolean {
  return name === 'envoy.filters.http.upstream_codec';
}
