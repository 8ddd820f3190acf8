import type { CallOptions, Client } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import { type PilotService, type ProxyStatus, SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';

/** One pilot of the mesh. */
export interface PilotClient {
  readonly url: string;
  readonly client: Client<typeof PilotService>;
}

/** What one pilot answered, or why it did not. */
export type PilotReport =
  | { readonly url: string; readonly version: bigint; readonly proxies: readonly ProxyStatus[]; readonly error: null }
  | { readonly url: string; readonly version: null; readonly proxies: readonly []; readonly error: FlotillaError };

/** Asks every pilot for its proxies, at the same time. A pilot that cannot be reached is in the answer with its error. */
export function reportProxies(pilots: readonly PilotClient[], options: CallOptions = {}): Promise<PilotReport[]> {
  return Promise.all(
    pilots.map(async ({ url, client }): Promise<PilotReport> => {
      try {
        const { version, proxies } = await client.listProxies({}, options);
        return { url, version, proxies, error: null };
      } catch (thrown) {
        options.signal?.throwIfAborted();
        const error = FlotillaError.from(thrown);
        if (error.code !== 'unavailable') throw error;
        return { url, version: null, proxies: [], error };
      }
    }),
  );
}

/** Whether a proxy has acknowledged everything that its pilot has for it. */
export function isSynced(proxy: ProxyStatus): boolean {
  return proxy.types.every(({ state }) => state === SyncState.SYNCED || state === SyncState.NOT_SENT);
}

/** `reviews-v1.default`: the workload that a proxy belongs to, from its node id. */
export function workloadOf(proxy: ProxyStatus): string {
  return proxy.nodeId.split('~')[2] ?? proxy.nodeId;
}
