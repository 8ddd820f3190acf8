import type { Filter } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import type { ProxyContext } from '../config/context.ts';
import { compileConnectionManager } from '../http/connection-manager.ts';
import { inField, refuse } from '../http/route/field.ts';
import type { RouteTable } from '../http/route/route.ts';
import { compileTcpProxy } from '../tcp/tcp-proxy.ts';
import type { NetworkFilter } from './accepted-connection.ts';
import type { ListenerHooks } from './listener.ts';

/** What the listener tells the filters of its chains. */
export interface NetworkFilterScope {
  readonly ctx: ProxyContext;
  readonly hooks: ListenerHooks;
  readonly bufferLimitBytes: number;
  /** The listener takes traffic for the local workload. */
  readonly isInbound: boolean;
  noteRouteTable(table: RouteTable): void;
}

/** Compiles the network filter of a chain. Throws `invalid` for a filter that is not supported. */
export function compileNetworkFilter(filter: Filter, scope: NetworkFilterScope, path: string): NetworkFilter {
  if (filter.configType.case !== 'typedConfig') return refuse(path, `"${filter.name}" has no typed_config`);
  const any = filter.configType.value;
  const type = any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);
  return inField(path, () => {
    switch (type) {
      case 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager':
        return compileConnectionManager(any, scope);
      case 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy':
        return compileTcpProxy(any, scope);
      default:
        return refuse(`network filter "${filter.name}"`, `${type} is not supported`);
    }
  });
}
