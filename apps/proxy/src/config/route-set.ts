import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { RouteTable } from '../http/route/route.ts';
import type { RouteTables } from './context.ts';
import { decodeRoutes } from './decode-resource.ts';
import type { ApplyDelta } from './delta-stream.ts';
import { isSameResource, type RefusedRecord, refusedRecord, type ResourceRecord } from './resource-record.ts';

export interface RouteSetOptions {
  readonly compile: (config: RouteConfiguration) => RouteTable;
  readonly clock: Clock;
  readonly onNames: (names: ReadonlySet<string>) => void;
  /** A name that listeners wait for has arrived, or is known not to exist. */
  readonly onArrived: (name: string) => void;
}

/** Route tables that listeners name (RDS). A table is swapped whole; requests keep the one that they began with. */
export interface RouteSet extends RouteTables {
  readonly applyRoutes: ApplyDelta;
  /** Whether a listener need not wait for it. */
  isKnown(name: string): boolean;
  /** Sets the names that listeners use. Tables that nobody uses any more are kept for `keepMs`, for draining connections. */
  setNames(names: ReadonlySet<string>, keepMs: number): void;
  dump(): readonly { readonly record: ResourceRecord | null; readonly refused: RefusedRecord | null }[];
}

interface RouteEntry {
  table: RouteTable | null;
  record: ResourceRecord | null;
  refused: RefusedRecord | null;
}

export function createRouteSet(options: RouteSetOptions): RouteSet {
  const { clock } = options;
  const tables = new Map<string, RouteEntry>();
  const absent = new Set<string>();
  let wanted: ReadonlySet<string> = new Set();

  const applyRoutes: ApplyDelta = (update) => {
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
        if (!isSame) options.onArrived(name);
      } catch (error) {
        const reason = FlotillaError.from(error);
        entry.refused = refusedRecord(reason, { version, resource }, clock.now());
        refusals.push({ name, reason: reason.message });
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

  return {
    get: (name) => tables.get(name)?.table ?? null,
    applyRoutes,
    isKnown: (name) => absent.has(name) || (tables.get(name)?.table ?? null) !== null,
    setNames(names, keepMs) {
      if (names.size === wanted.size && [...names].every((name) => wanted.has(name))) return;
      const dropped = [...wanted].filter((name) => !names.has(name));
      wanted = names;
      for (const name of dropped) absent.delete(name);
      if (dropped.length > 0) {
        clock.after(keepMs, () => {
          for (const name of dropped) if (!wanted.has(name)) tables.delete(name);
        });
      }
      options.onNames(names);
    },
    dump: () => [...tables.values()].map(({ record, refused }) => ({ record, refused })),
  };
}
