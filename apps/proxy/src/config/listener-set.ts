import { anyPack, type Any } from '@bufbuild/protobuf/wkt';
import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { type Listener, ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { secretsOfListener } from '../identity/secret-references.ts';
import type { StatsRegistry } from '../base/stats.ts';
import type { SecretNeeds } from './cluster-set.ts';
import { decodeListener } from './decode-resource.ts';
import type { ApplyUpdate, DiscoveryUpdate, Refusal } from './discovery-stream.ts';
import { isSameResource, type RefusedRecord, refusedRecord, type ResourceRecord } from './resource-record.ts';
import { fetchTimeoutMs } from '../base/config-source.ts';
import type { ExtensionSet } from './extension-set.ts';
import type { NamedSet } from './named-set.ts';
import type { NeededResource, NeededExtension } from '../ports/needed-resources.ts';
import { NeededBy } from './needed-by.ts';
import { createWaitingRoom, startWarming, type Warming } from './warming.ts';

/** The part of a compiled listener that decides when it may be used. */
export interface CompiledForUse {
  /** By RDS name. */
  readonly neededRoutes: ReadonlyMap<string, NeededResource>;
  /** By ECDS name. */
  readonly neededExtensions: ReadonlyMap<string, NeededExtension>;
}

/** Where listeners go when they are ready (the listener manager). */
export interface ListenerTarget<C extends CompiledForUse> {
  /** Throws `invalid`. */
  compile(listener: Listener): C;
  /** Binds, or swaps the filter chains. Rejects, and keeps what ran, when the address cannot be bound. */
  apply(compiled: C): Promise<void>;
  remove(name: string, options: { readonly drainMs: number }): Promise<void> | void;
}

export interface ListenerSetOptions<C extends CompiledForUse> {
  readonly target: ListenerTarget<C>;
  readonly routes: Pick<NamedSet<unknown>, 'isKnown' | 'setNames'>;
  readonly extensions: Pick<ExtensionSet, 'isKnown' | 'setNames'>;
  readonly secrets: SecretNeeds;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long connections of a removed listener may go on. */
  readonly drainMs: number;
  /**
   * How long the answer to an update waits for its listeners to be in use, so that a port that is taken is told to
   * the control plane. Routes come meanwhile; a control plane that holds them back costs this long.
   */
  readonly answerWithinMs: number;
}

interface ListenerEntry {
  readonly isStatic: boolean;
  active: (ResourceRecord & { readonly uses: CompiledForUse }) | null;
  next:
    | (ResourceRecord & {
        readonly uses: CompiledForUse;
        readonly warming: Warming;
        readonly applied: Promise<void>;
      })
    | null;
  refused: RefusedRecord | null;
}

export interface ListenerDump {
  readonly name: string;
  readonly isStatic: boolean;
  readonly active: ResourceRecord | null;
  readonly next: ResourceRecord | null;
  readonly refused: RefusedRecord | null;
}

/** All listeners of the proxy, static and dynamic: LDS, and the routes, filters and secrets that they wait for. */
export interface ListenerSet {
  /** Each resolves when it is in use, and rejects with `system` (a port in use). Throws `invalid`. */
  addStatic(listeners: readonly Listener[]): Promise<void>[];
  readonly applyListeners: ApplyUpdate;
  secretArrived(name: string): void;
  routesArrived(name: string): void;
  extensionArrived(name: string): void;
  warming(): { readonly name: string; readonly pending: readonly string[] }[];
  /** Settles when nothing warms that warms now. */
  settled(): Promise<void>;
  dump(): readonly ListenerDump[];
  close(): void;
}

export function createListenerSet<C extends CompiledForUse>(options: ListenerSetOptions<C>): ListenerSet {
  const { target, routes, extensions, secrets, stats, clock, logger } = options;
  const entries = new Map<string, ListenerEntry>();
  const routeNames = new NeededBy<NeededResource>();
  const extensionNames = new NeededBy<NeededExtension>();
  const waiting = createWaitingRoom();
  /** Changes of sockets happen one after another, in the order in which they were decided. */
  let tail: Promise<void> = Promise.resolve();
  const counters = {
    added: stats.counter('listener_manager.listener_added'),
    modified: stats.counter('listener_manager.listener_modified'),
    removed: stats.counter('listener_manager.listener_removed'),
    createSuccess: stats.counter('listener_manager.listener_create_success'),
    createFailure: stats.counter('listener_manager.listener_create_failure'),
    warmings: stats.counter('listener_manager.listener_warmings'),
    timeouts: stats.counter('listener_manager.lds.init_fetch_timeout'),
    active: stats.gauge('listener_manager.total_listeners_active'),
    warming: stats.gauge('listener_manager.total_listeners_warming'),
  };

  function put(config: Listener, record: ResourceRecord, isStatic: boolean): Promise<void> {
    const known = entries.get(config.name);
    if (known?.isStatic === true) throw new FlotillaError('invalid', 'a static listener has this name');
    const latest = known?.next ?? known?.active;
    if (known && latest && isSameResource(latest.resource, record.resource)) {
      latest.version = record.version;
      return known.next?.applied ?? Promise.resolve();
    }
    const compiled = target.compile(config);
    const needs = needsOf(config, compiled);
    const entry = known ?? { isStatic, active: null, next: null, refused: null };
    entries.set(config.name, entry);
    entry.refused = null;
    entry.next?.warming.cancel();
    const { promise: applied, resolve, reject } = Promise.withResolvers<void>();
    // Whoever waits sees the failure; with nobody waiting it is in the log and in the dump.
    applied.catch(() => undefined);
    const warming = startWarming({
      needs,
      clock,
      onReady(missing) {
        if (missing.length > 0) {
          counters.timeouts.value += 1;
          logger.warn('a listener is used without what it waited for', { listener: config.name, missing });
        }
        inOrder(() => activate(entry, next, compiled)).then(resolve, reject);
      },
    });
    const next = { ...record, uses: compiled, warming, applied };
    waiting.enter(warming);
    setNext(entry, next);
    if (needs.size === 0) inOrder(() => activate(entry, next, compiled)).then(resolve, reject);
    else counters.warmings.value += 1;
    void warming.settled.then(() => {
      // Replaced or removed while it waited: nobody's failure.
      if (entry.next !== next) resolve();
    });
    return applied;
  }

  function needsOf(config: Listener, { neededRoutes, neededExtensions }: C): Map<string, number> {
    const needs = new Map<string, number>();
    for (const [name, { fetchTimeoutMs: timeoutMs }] of neededRoutes) {
      if (timeoutMs !== null && !routes.isKnown(name)) needs.set(`rds:${name}`, timeoutMs);
    }
    for (const [name, { fetchTimeoutMs: timeoutMs }] of neededExtensions) {
      if (timeoutMs !== null && !extensions.isKnown(name)) needs.set(`ecds:${name}`, timeoutMs);
    }
    for (const reference of secretsOfListener(config)) {
      secrets.require(reference);
      if (!secrets.isPresent(reference.name)) {
        needs.set(`secret:${reference.name}`, fetchTimeoutMs(reference.source ?? undefined));
      }
    }
    return needs;
  }

  async function activate(entry: ListenerEntry, next: NonNullable<ListenerEntry['next']>, compiled: C): Promise<void> {
    if (entry.next !== next || entries.get(next.name) !== entry) return;
    try {
      await target.apply(compiled);
      counters.createSuccess.value += 1;
      (entry.active === null ? counters.added : counters.modified).value += 1;
      const { name, resource, updatedMs, uses } = next;
      setActive(entry, { name, version: next.version, resource, updatedMs, uses });
    } catch (error) {
      counters.createFailure.value += 1;
      const reason = FlotillaError.from(error);
      entry.refused = refusedRecord(reason, next, clock.now());
      logger.error('a listener could not be opened', { listener: next.name, reason: reason.message });
      throw reason;
    } finally {
      if (entry.next === next) setNext(entry, null);
      publish();
    }
  }

  function inOrder(step: () => Promise<void>): Promise<void> {
    const done = tail.then(step);
    tail = done.catch(() => undefined);
    return done;
  }

  function remove(name: string): void {
    const entry = entries.get(name);
    if (entry === undefined || entry.isStatic) return;
    entry.next?.warming.cancel();
    entries.delete(name);
    setActive(entry, null);
    setNext(entry, null);
    counters.removed.value += 1;
    void inOrder(() => {
      // The port is free at once; connections drain while later changes go on.
      Promise.resolve(target.remove(name, { drainMs: options.drainMs })).catch((error: unknown) => {
        logger.error('a listener could not be removed', { listener: name, error });
      });
      return Promise.resolve();
    });
  }

  function setActive(entry: ListenerEntry, record: ListenerEntry['active']): void {
    counters.active.value += Number(record !== null) - Number(entry.active !== null);
    setNeeds(entry.active, record);
    entry.active = record;
  }

  function setNext(entry: ListenerEntry, record: ListenerEntry['next']): void {
    counters.warming.value += Number(record !== null) - Number(entry.next !== null);
    setNeeds(entry.next, record);
    entry.next = record;
  }

  function setNeeds(before: { readonly uses: CompiledForUse } | null, after: { readonly uses: CompiledForUse } | null) {
    routeNames.replace(before?.uses.neededRoutes, after?.uses.neededRoutes);
    extensionNames.replace(before?.uses.neededExtensions, after?.uses.neededExtensions);
  }

  /** Says what is needed by name. */
  function publish(): void {
    const changedRoutes = routeNames.takeChange();
    if (changedRoutes !== null) routes.setNames(changedRoutes, options.drainMs);
    const changedExtensions = extensionNames.takeChange();
    if (changedExtensions !== null) extensions.setNames(changedExtensions, options.drainMs);
  }

  async function applyListeners(update: DiscoveryUpdate): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    const refuse = (name: string, error: unknown): void => {
      refusals.push({ name, reason: FlotillaError.from(error).message });
    };
    for (const name of update.removed) remove(name);
    const waiting: Promise<void>[] = [];
    for (const { name, version, resource } of update.resources) {
      try {
        const config = decodeListener(name, resource);
        const applied = put(config, recordOf(name, version, resource), false);
        waiting.push(applied.catch((error: unknown) => refuse(name, error)));
      } catch (error) {
        refuse(name, error);
        const entry = entries.get(name);
        if (entry) entry.refused = refusedRecord(FlotillaError.from(error), { version, resource }, clock.now());
      }
    }
    publish();
    const limit = Promise.withResolvers<void>();
    const timer = clock.after(options.answerWithinMs, limit.resolve);
    await Promise.race([Promise.all(waiting), limit.promise]);
    timer.cancel();
    return [...refusals];
  }

  function recordOf(name: string, version: string, resource: Any | null): ResourceRecord {
    if (resource === null) throw new FlotillaError('invalid', 'the resource is empty');
    return { name, version, resource, updatedMs: clock.now() };
  }

  return {
    addStatic(listeners) {
      const applied = listeners.map((config) =>
        put(config, recordOf(config.name, '', anyPack(ListenerSchema, config)), true),
      );
      publish();
      return applied;
    },
    applyListeners,
    secretArrived: (name) => waiting.satisfy(`secret:${name}`),
    routesArrived: (name) => waiting.satisfy(`rds:${name}`),
    extensionArrived: (name) => waiting.satisfy(`ecds:${name}`),
    warming: () =>
      [...entries].flatMap(([name, { next }]) => (next === null ? [] : [{ name, pending: [...next.warming.pending] }])),
    async settled() {
      await Promise.all([...entries.values()].map(({ next }) => next?.applied.catch(() => undefined)));
    },
    dump: () => [...entries].map(([name, entry]) => ({ name, ...entry })),
    close() {
      for (const { next } of entries.values()) next?.warming.cancel();
    },
  };
}
