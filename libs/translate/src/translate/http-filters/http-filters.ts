import type { HttpFilterSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { CorsSchema } from '@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { TypedStructSchema } from '@flotilla/wire/xds/type/v3/typed_struct_pb.js';
import type { JsonObject } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { type Init, typed } from '../protobuf.ts';
import { CORS_FILTER } from './cors.ts';
import { FAULT_FILTER } from './fault.ts';
import type { FilterSupport } from './support.ts';

type HttpFilter = Init<typeof HttpFilterSchema>;

export type Direction = 'inbound' | 'outbound' | 'gateway';

/**
 * The HTTP filters of a connection manager in Istio's order: peer metadata, alpn, fault, CORS, statistics, router. Istio's own
 * filters are there only for a proxy that has them; `omissions` says what that costs the others.
 */
export function httpFilters(direction: Direction, support: FilterSupport): HttpFilter[] {
  return [
    ...(support.hasPeerMetadata ? [filter('istio.metadata_exchange', peerMetadata(direction))] : []),
    ...(support.hasAlpn && direction !== 'inbound' ? [filter('istio.alpn', alpn())] : []),
    filter(FAULT_FILTER, typed(HTTPFaultSchema, {})),
    filter(CORS_FILTER, typed(CorsSchema, {})),
    ...(support.hasStats ? [filter('istio.stats', struct('type.googleapis.com/stats.PluginConfig', {}))] : []),
    filter('envoy.filters.http.router', typed(RouterSchema, {})),
  ];
}

function filter(name: string, value: Any): HttpFilter {
  return { name, configType: { case: 'typedConfig', value } };
}

/** Who is at the other end, told by headers and looked up by the address of endpoints. */
function peerMetadata(direction: Direction): Any {
  const discovery = [{ workload_discovery: {} }];
  const headers = [{ istio_headers: {} }];
  return struct(
    'type.googleapis.com/io.istio.http.peer_metadata.Config',
    direction === 'inbound'
      ? { downstream_discovery: [...headers, ...discovery], downstream_propagation: headers }
      : { upstream_discovery: [...headers, ...discovery], upstream_propagation: headers },
  );
}

/** Names mesh traffic by its HTTP version, so that the server's side need not guess. */
function alpn(): Any {
  const override = (upstream: string, ...names: string[]) => ({ upstream_protocol: upstream, alpn_override: names });
  return struct('type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig', {
    alpn_override: [
      override('HTTP10', 'istio-http/1.0', 'istio', 'http/1.0'),
      override('HTTP11', 'istio-http/1.1', 'istio', 'http/1.1'),
      override('HTTP2', 'istio-h2', 'istio', 'h2'),
    ],
  });
}

/** The configuration of an extension whose schema is not among the generated ones. */
function struct(typeUrl: string, value: JsonObject): Any {
  return typed(TypedStructSchema, { typeUrl, value });
}
