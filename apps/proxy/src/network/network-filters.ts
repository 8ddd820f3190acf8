import type { Any } from '@bufbuild/protobuf/wkt';
import type { Filter } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { compileConnectionManager } from '../http/connection-manager.ts';
import { inField, refuse } from '@flotilla/envoy';
import { compileDirectResponse, echo } from './simple-filters.ts';
import { compileTcpProxy } from './tcp-proxy/tcp-proxy.ts';
import type { NetworkFilter } from '../ports/accepted-connection.ts';
import {
  behindGates,
  compileConnectionLimit,
  compileConnectionRateLimit,
  compileSetFilterState,
  compileSniDynamicForwardProxy,
  type ConnectionGate,
  sniCluster,
} from './connection-gates.ts';
import type { NetworkFilterScope } from '../ports/network-filter-scope.ts';

const GATES: Readonly<Record<string, (any: Any, scope: NetworkFilterScope) => ConnectionGate>> = {
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit': compileConnectionLimit,
  'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit': compileConnectionRateLimit,
  'envoy.extensions.filters.network.set_filter_state.v3.Config': compileSetFilterState,
  'envoy.extensions.filters.network.sni_cluster.v3.SniCluster': () => sniCluster,
  'envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig': compileSniDynamicForwardProxy,
};

/** Compiles the network filters of a chain: gates, then the one that takes the connection. Throws `invalid`. */
export function compileNetworkFilters(filters: readonly Filter[], scope: NetworkFilterScope): NetworkFilter {
  const last = filters.at(-1);
  if (last === undefined) return refuse('filters', 'is empty');
  const gates = filters.slice(0, -1).map((filter, index) => {
    const path = `filters[${index}]`;
    const { any, type } = typedConfigOf(filter, path);
    const compile = GATES[type];
    if (compile === undefined) return refuse(path, `network filter "${filter.name}": ${type} is not supported here`);
    return inField(path, () => compile(any, scope));
  });
  return behindGates(gates, compileLast(last, scope, `filters[${filters.length - 1}]`), scope);
}

function typedConfigOf(filter: Filter, path: string): { readonly any: Any; readonly type: string } {
  if (filter.configType.case !== 'typedConfig') return refuse(path, `"${filter.name}" has no typed_config`);
  const any = filter.configType.value;
  return { any, type: any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1) };
}

function compileLast(filter: Filter, scope: NetworkFilterScope, path: string): NetworkFilter {
  const { any, type } = typedConfigOf(filter, path);
  return inField(path, () => {
    switch (type) {
      case 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager':
        return compileConnectionManager(any, scope);
      case 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy':
        return compileTcpProxy(any, scope);
      case 'envoy.extensions.filters.network.direct_response.v3.Config':
        return compileDirectResponse(any);
      case 'envoy.extensions.filters.network.echo.v3.Echo':
        return echo;
      default:
        return refuse(`network filter "${filter.name}"`, `${type} is not supported`);
    }
  });
}
