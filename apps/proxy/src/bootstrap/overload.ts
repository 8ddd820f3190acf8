import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { DownstreamConnectionsConfigSchema } from '@flotilla/wire/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js';
import { refuse, unpackValid } from '@flotilla/envoy';
import { runtimeEntries } from './runtime.ts';

/** The older name of the limit, a key of runtime. */
const RUNTIME_KEY = 'overload.global_downstream_max_connections';

/** How many connections clients may have at one time, over all listeners. */
export interface ConnectionLimit {
  /** Infinity where nothing says so. */
  readonly max: number;
  /** The overload manager's, which listeners may bypass; otherwise runtime's. */
  readonly isOfOverloadManager: boolean;
}

/** Reads the `overload_manager`'s monitor of connections, or runtime. Throws `invalid` for other monitors. */
export function downstreamConnectionLimit(bootstrap: Bootstrap): ConnectionLimit {
  const monitored = monitoredLimit(bootstrap);
  if (monitored !== null) return { max: monitored, isOfOverloadManager: true };
  const value = runtimeEntries(bootstrap).findLast(({ key }) => key === RUNTIME_KEY)?.value;
  return { max: typeof value === 'number' ? value : Infinity, isOfOverloadManager: false };
}

function monitoredLimit({ overloadManager }: Bootstrap): number | null {
  if (overloadManager === undefined) return null;
  let limit: number | null = null;
  overloadManager.resourceMonitors.forEach(({ name, configType }, index) => {
    const any = configType.value;
    const config = any === undefined ? undefined : unpackValid(any, DownstreamConnectionsConfigSchema);
    const field = `overload_manager.resource_monitors[${index}]`;
    if (config === undefined) return refuse(field, `"${name}" is not supported`);
    if (config.maxActiveDownstreamConnections < 1n)
      refuse(field, 'max_active_downstream_connections is not greater than 0');
    limit = Number(config.maxActiveDownstreamConnections);
  });
  return limit;
}
