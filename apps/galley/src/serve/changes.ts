import type { Change } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { ConfigStore } from '../store/config-store.ts';
import { changeToWire } from './wire.ts';

export interface Changes {
  readonly version: bigint;
  readonly snapshot: boolean;
  readonly changes: Change[];
}

/** The changes after a version, or everything when the log does not reach back that far or the version is 0. */
export async function changesFrom(store: ConfigStore, sinceVersion: number): Promise<Changes> {
  const since = sinceVersion === 0 ? null : await store.changesSince(sinceVersion);
  if (since !== null) {
    const changes = since.changes.map(({ key, stored, version }) =>
      changeToWire(key, stored?.resource ?? null, version),
    );
    return { version: BigInt(since.version), snapshot: false, changes };
  }
  const snapshot = await store.snapshot();
  const changes = snapshot.resources.map(({ resource }) =>
    changeToWire(resource.key, resource, resource.resourceVersion),
  );
  return { version: BigInt(snapshot.version), snapshot: true, changes };
}
