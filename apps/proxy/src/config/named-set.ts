import type { NeededResource } from '../ports/needed-resources.ts';
import type { Any } from '@bufbuild/protobuf/wkt';
import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { Counter, StatsRegistry } from '../base/stats.ts';
import { openUpdateCounts, type UpdateCounts } from './count-updates.ts';
import type { ApplyUpdate } from './discovery-stream.ts';
import { isSameResource, type RefusedRecord, refusedRecord, type ResourceRecord } from './resource-record.ts';

export interface NamedSetOptions<C, V> {
  /** Throws `invalid`. */
  readonly decode: (name: string, resource: Any | null) => C;
  /** Throws `invalid`: what was used before goes on. */
  readonly compile: (config: C) => V;
  /** What becomes of one in use that the control plane takes back: Envoy keeps routes, and lets filters go. */
  readonly keepsRemoved: boolean;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly onNames: (names: ReadonlySet<string>) => void;
  /** A name that listeners wait for has arrived, or is known not to exist. */
  readonly onArrived: (name: string) => void;
}

/**
 * Resources of one type that listeners name: routes (RDS), configurations of filters (ECDS). Each is swapped whole, and
 * whoever uses it asks for the present one.
 */
export interface NamedSet<V> {
  /** Null while it has not arrived. */
  get(name: string): V | null;
  readonly applyUpdate: ApplyUpdate;
  /** Whether a listener need not wait for it. */
  isKnown(name: string): boolean;
  /** Sets what listeners name. What nobody names any more is kept for `keepMs`, for draining connections. */
  setNames(names: ReadonlyMap<string, NeededResource>, keepMs: number): void;
  dump(): readonly { readonly record: ResourceRecord | null; readonly refused: RefusedRecord | null }[];
}

interface Entry<V> {
  value: V | null;
  record: ResourceRecord | null;
  refused: RefusedRecord | null;
}

/** Statistics of one name, from when a listener names it. */
interface Counts {
  readonly prefix: string;
  readonly updates: UpdateCounts;
  /** Updates that changed something. */
  readonly reloads: Counter;
}

export function createNamedSet<C, V>(options: NamedSetOptions<C, V>): NamedSet<V> {
  const { clock, stats } = options;
  const entries = new Map<string, Entry<V>>();
  const counts = new Map<string, Counts>();
  const absent = new Set<string>();
  let wanted: ReadonlyMap<string, NeededResource> = new Map();

  const applyUpdate: ApplyUpdate = (update) => {
    const refusals: { name: string; reason: string }[] = [];
    for (const { name, version, resource } of update.resources) {
      if (!wanted.has(name)) continue;
      const entry = entries.get(name) ?? { value: null, record: null, refused: null };
      entries.set(name, entry);
      try {
        const config = options.decode(name, resource);
        if (resource === null) continue; // `decode` has refused it
        const isSame = entry.record !== null && isSameResource(entry.record.resource, resource);
        if (!isSame) entry.value = options.compile(config);
        entry.record = { name, version, resource, updatedMs: clock.now() };
        entry.refused = null;
        absent.delete(name);
        counts.get(name)?.updates.succeeded();
        if (!isSame) changed(name);
      } catch (error) {
        const reason = FlotillaError.from(error);
        entry.refused = refusedRecord(reason, { version, resource }, clock.now());
        refusals.push({ name, reason: reason.message });
        counts.get(name)?.updates.rejected();
      }
    }
    for (const name of update.removed) {
      if (!wanted.has(name)) continue;
      absent.add(name);
      if (!options.keepsRemoved && entries.delete(name)) {
        counts.get(name)?.updates.succeeded();
        changed(name);
      } else {
        // A listener that waits learns that there is none.
        options.onArrived(name);
      }
    }
    return Promise.resolve(refusals);
  };

  function changed(name: string): void {
    const reloads = counts.get(name)?.reloads;
    if (reloads !== undefined) reloads.value += 1;
    options.onArrived(name);
  }

  function openCounts(prefix: string): Counts {
    return {
      prefix,
      updates: openUpdateCounts(stats, clock, prefix),
      reloads: stats.counter(`${prefix}.config_reload`),
    };
  }

  function forget(name: string): void {
    entries.delete(name);
    const known = counts.get(name);
    if (known === undefined) return;
    counts.delete(name);
    stats.removePrefix(`${known.prefix}.`);
  }

  return {
    get: (name) => entries.get(name)?.value ?? null,
    applyUpdate,
    isKnown: (name) => absent.has(name) || (entries.get(name)?.value ?? null) !== null,
    setNames(names, keepMs) {
      const isSame = names.size === wanted.size && [...names.keys()].every((name) => wanted.has(name));
      const dropped = [...wanted.keys()].filter((name) => !names.has(name));
      wanted = names;
      if (isSame) return;
      for (const [name, { statPrefix }] of names) if (!counts.has(name)) counts.set(name, openCounts(statPrefix));
      for (const name of dropped) absent.delete(name);
      if (dropped.length > 0) {
        clock.after(keepMs, () => {
          for (const name of dropped) if (!wanted.has(name)) forget(name);
        });
      }
      options.onNames(new Set(names.keys()));
    },
    dump: () => [...entries.values()].map(({ record, refused }) => ({ record, refused })),
  };
}
