import type { CallOptions, Client } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import {
  type PilotService,
  type ProxyStatus,
  SyncState,
  type WithheldResource,
} from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';

/** One pilot of the mesh. */
export interface PilotClient {
  readonly url: string;
  readonly client: Client<typeof PilotService>;
}

/** What one pilot answered, or why it did not. */
export type PilotReport =
  | {
      readonly url: string;
      /** The pilot's own name; several may answer at one URL in turn. */
      readonly pilotId: string;
      readonly version: bigint;
      readonly proxies: readonly ProxyStatus[];
      /** Resources that some kind of proxy refuses, and does not get as they are written. */
      readonly withheld: readonly WithheldResource[];
      readonly error: null;
    }
  | {
      readonly url: string;
      readonly pilotId: '';
      readonly version: null;
      readonly proxies: readonly [];
      readonly withheld: readonly [];
      readonly error: FlotillaError;
    };

/** Asks every pilot for its proxies, at the same time. A pilot that cannot be reached is in the answer with its error. */
export function reportProxies(pilots: readonly PilotClient[], options: CallOptions = {}): Promise<PilotReport[]> {
  return Promise.all(
    pilots.map(async ({ url, client }): Promise<PilotReport> => {
      try {
        const { version, proxies, pilotId, withheld } = await client.listProxies({}, options);
        return { url, pilotId, version, proxies, withheld, error: null };
      } catch (thrown) {
        options.signal?.throwIfAborted();
        const error = FlotillaError.from(thrown);
        if (error.code !== 'unavailable') throw error;
        return { url, pilotId: '', version: null, proxies: [], withheld: [], error };
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
