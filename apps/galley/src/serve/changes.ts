import { FlotillaError } from '@flotilla/runtime';
import type { Change } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { ConfigStore, Revision, Snapshot } from '../store/config-store.ts';
import type { ConfigWriter } from '../write/config-writer.ts';
import { changeToWire } from './wire.ts';

export interface Changes {
  readonly epoch: string;
  readonly version: bigint;
  readonly snapshot: boolean;
  readonly changes: Change[];
}

/** What the caller has: an empty epoch is any. */
export type Since = Revision;

/**
 * The changes after a revision, or everything when the log does not reach back that far or the version is 0. While the
 * store is away the set in memory answers, as far as it is not behind what the caller has.
 */
export async function changesFrom(store: ConfigStore, writer: ConfigWriter, since: Since): Promise<Changes> {
  try {
    return await fromStore(store, since);
  } catch (error) {
    const { code } = FlotillaError.from(error);
    const remembered = code === 'unavailable' ? fromMemory(writer, since) : null;
    if (remembered === null) throw error;
    return remembered;
  }
}

async function fromStore(store: ConfigStore, since: Since): Promise<Changes> {
  const epoch = since.epoch === '' && since.version !== 0 ? (await store.revision()).epoch : since.epoch;
  const changed = since.version === 0 ? null : await store.changesSince({ epoch, version: since.version });
  if (changed === null) return everything(await store.snapshot());
  const changes = changed.changes.map(({ key, stored, version }) =>
    changeToWire(key, stored?.resource ?? null, version),
  );
  return { epoch, version: BigInt(changed.version), snapshot: false, changes };
}

function fromMemory({ revision, set }: ConfigWriter, since: Since): Changes | null {
  const { epoch, version } = revision;
  const isComparable = since.version === 0 || since.epoch === '' || since.epoch === epoch;
  if (epoch === '' || !isComparable || since.version > version) return null;
  if (since.version === version && version > 0)
    return { epoch, version: BigInt(version), snapshot: false, changes: [] };
  return everything({ epoch, version, resources: [...set.entries()] });
}

function everything({ epoch, version, resources }: Snapshot): Changes {
  const changes = resources.map(({ resource }) => changeToWire(resource.key, resource, resource.resourceVersion));
  return { epoch, version: BigInt(version), snapshot: true, changes };
}
