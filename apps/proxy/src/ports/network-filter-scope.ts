import type { RouteTable } from '@flotilla/route';
import type { AccessLog } from '@flotilla/stream';
import type { AccessLog as AccessLogConfig } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import type { ProxyContext } from './context.ts';
import type { IstioMetrics } from './istio-metrics.ts';
import type { NeededExtension } from './needed-resources.ts';

/** What compiling a listener takes from the rest of the proxy. */
export interface ListenerHooks {
  compileAccessLogs(list: readonly AccessLogConfig[]): AccessLog[];
  /** Recorder of Istio's metrics; absent or null: the filter that asks for them records nothing. */
  readonly istioMetrics?: IstioMetrics | null;
}

/** What the listener tells the filters of its chains. */
export interface NetworkFilterScope {
  readonly ctx: ProxyContext;
  readonly hooks: ListenerHooks;
  readonly bufferLimitBytes: number;
  /** The listener takes traffic for the local workload. */
  readonly isInbound: boolean;
  noteRouteTable(table: RouteTable): void;
  /** A filter's configuration comes by this name.  */
  noteExtension(name: string, need: NeededExtension): void;
}
