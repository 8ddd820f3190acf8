import { PilotService, type ProxyStatus, SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import { type ApiClient, call } from './client.ts';

const POLL_MS = 20;
const DEADLINE_MS = 30_000;

/**
 * Waits until pilot has this version of the configuration and every proxy acknowledged what it was sent.
 * Throws `invalid` when a proxy refuses, `unavailable` when it takes longer than 30 s.
 */
export async function waitUntilSynced(api: ApiClient, version: bigint): Promise<void> {
  const pilot = api.client(PilotService);
  const deadlineMs = systemClock.monotonicMs() + DEADLINE_MS;
  for (;;) {
    const status = await call(() => pilot.listProxies({}));
    for (const proxy of status.proxies) throwWhenRefused(proxy);
    if (status.version >= version && status.proxies.every(isSynced)) return;
    if (systemClock.monotonicMs() > deadlineMs) {
      throw new FlotillaError(
        'unavailable',
        `not every proxy acknowledged version ${version} within ${DEADLINE_MS / 1000} s`,
        {
          hint: 'See "flotilla proxy-status" for who did not.',
        },
      );
    }
    await new Promise<void>((resolve) => systemClock.after(POLL_MS, resolve, { keepAlive: true }));
  }
}

export function isSynced(proxy: ProxyStatus): boolean {
  return proxy.types.every(({ state }) => state === SyncState.SYNCED || state === SyncState.NOT_SENT);
}

function throwWhenRefused(proxy: ProxyStatus): void {
  const refused = proxy.types.find(({ state }) => state === SyncState.REFUSED);
  if (refused === undefined) return;
  throw new FlotillaError('invalid', `${proxy.nodeId} refused ${refused.typeUrl}: ${refused.errorDetail}`);
}
