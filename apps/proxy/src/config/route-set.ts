import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { RouteTable } from '../http/route/route.ts';
import type { Counter, StatsRegistry } from '../observe/stats.ts';
import type { RouteTables } from './context.ts';
import { openUpdateCounts, type UpdateCounts } from './count-updates.ts';
import { decodeRoutes } from './decode-resource.ts';
import type { ApplyUpdate } from './discovery-stream.ts';
import { isSameResource, type RefusedRecord, refusedRecord, type ResourceRecord } from './resource-record.ts';

export interface RouteSetOptions {
  readonly compile: (config: RouteConfiguration) => RouteTable;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly onNames: (names: ReadonlySet<string>) => void;
  /** A name that listeners wait for has arrived, or is known not to exist. */
  readonly onArrived: (name: string) => void;
}

/** Route tables that listeners name (RDS). A table is swapped whole; requests keep the one that they began with. */
export interface RouteSet extends RouteTables {
  readonly applyRoutes: ApplyUpdate;
  /** Whether a listener need not wait for it. */
  isKnown(name: string): boolean;
  /**
   * Sets the names that listeners use, each with the prefix of its statistics. Tables that nobody uses any more are
   * kept for `keepMs`, for draining connections.
   */
  setNames(names: RouteNames, keepMs: number): void;
  dump(): readonly { readonly record: ResourceRecord | null; readonly refused: RefusedRecord | null }[];
}

/** RDS names, each with the prefix of its statistics (`http.<stat_prefix>.rds.<name>`). */
export type RouteNames = ReadonlyMap<string, string>;

interface RouteEntry {
  table: RouteTable | null;
  record: ResourceRecord | null;
  refused: RefusedRecord | null;
}

/** Statistics of one name, from when a listener names it. */
interface RouteCounts {
  readonly prefix: string;
  readonly updates: UpdateCounts;
  /** Updates that changed the table. */
  readonly reloads: Counter;
}

export function createRouteSet(options: RouteSetOptions): RouteSet {
  const { clock, stats } = options;
  const tables = new Map<string, RouteEntry>();
  const counts = new Map<string, RouteCounts>();
  const absent = new Set<string>();
  let wanted: RouteNames = new Map();

  const applyRoutes: ApplyUpdate = (update) => {
    const refusals: { name: string; reason: string }[] = [];
    for (const { name, version, resource } of update.resources) {
      if (!wanted.has(name)) continue;
      const entry = tables.get(name) ?? { table: null, record: null, refused: null };
      tables.set(name, entry);
      try {
        const config = decodeRoutes(name, resource);
        if (resource === null) continue; // decodeRoutes has refused it
        const isSame = entry.record !== null && isSameResource(entry.record.resource, resource);
        if (!isSame) entry.table = options.compile(config);
        entry.record = { name, version, resource, updatedMs: clock.now() };
        entry.refused = null;
        absent.delete(name);
        counts.get(name)?.updates.succeeded();
        if (isSame) continue;
        const reloads = counts.get(name)?.reloads;
        if (reloads !== undefined) reloads.value += 1;
        options.onArrived(name);
      } catch (error) {
        const reason = FlotillaError.from(error);
        entry.refused = refusedRecord(reason, { version, resource }, clock.now());
        refusals.push({ name, reason: reason.message });
        counts.get(name)?.updates.rejected();
      }
    }
    // Tables in use stay, as in Envoy; a listener that waits learns that there is none.
    for (const name of update.removed) {
      if (!wanted.has(name)) continue;
      absent.add(name);
      options.onArrived(name);
    }
    return Promise.resolve(refusals);
  };

  function openCounts(prefix: string): RouteCounts {
    return {
      prefix,
      updates: openUpdateCounts(stats, clock, prefix),
      reloads: stats.counter(`${prefix}.config_reload`),
    };
  }

  function forget(name: string): void {
    tables.delete(name);
    const known = counts.get(name);
    if (known === undefined) return;
    counts.delete(name);
    stats.removePrefix(`${known.prefix}.`);
  }

  return {
    get: (name) => tables.get(name)?.table ?? null,
    applyRoutes,
    isKnown: (name) => absent.has(name) || (tables.get(name)?.table ?? null) !== null,
    setNames(names, keepMs) {
      if (names.size === wanted.size && [...names.keys()].every((name) => wanted.has(name))) return;
      const dropped = [...wanted.keys()].filter((name) => !names.has(name));
      wanted = names;
      for (const [name, prefix] of names) if (!counts.has(name)) counts.set(name, openCounts(prefix));
      for (const name of dropped) absent.delete(name);
      if (dropped.length > 0) {
        clock.after(keepMs, () => {
          for (const name of dropped) if (!wanted.has(name)) forget(name);
        });
      }
      options.onNames(new Set(names.keys()));
    },
    dump: () => [...tables.values()].map(({ record, refused }) => ({ record, refused })),
  };
}
