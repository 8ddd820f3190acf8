import type { Server, Socket } from 'node:net';
import { FlotillaError } from '@flotilla/runtime';
import { closeFollows, logged } from '@flotilla/sockets/errors';
import { createTcpServer, listen } from '@flotilla/sockets/tcp';
import type { ProxyContext } from '../ports/context.ts';
import { acceptConnection } from './accept.ts';
import { bindFailure } from '../sockets/bind-failure.ts';
import type { CompiledListener, ListenerAddress } from './compiled-listener.ts';
import { ConnectionSet } from './connection-set.ts';
import { ListenerIndex } from './listener-index.ts';
import { localDestinations, openOriginalDestinations, type OriginalDestinations } from './original-dst.ts';
import { OwnListeners } from './own-listeners.ts';
import type { AdmitConnection } from './peer-user.ts';

export interface BoundAddress {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** The listeners of one proxy process: binds, swaps and drains them. */
export interface ListenerManager {
  /**
   * Takes a listener into service. On an address that is bound already the filter chains are swapped without
   * closing the port; connections of chains that are gone drain. Rejects with `system` when a port cannot be bound;
   * what ran before goes on.
   */
  apply(listener: CompiledListener): Promise<void>;
  /** Stops accepting at once, lets connections finish for up to `drainMs`, then closes them. */
  remove(name: string, options: { readonly drainMs: number }): Promise<void>;
  hasConnections(): boolean;
  /** Removes all, outbound listeners last: within `drainMs` together, and with a moment for outbound in any case. */
  shutDown(drainMs: number): Promise<void>;
  addresses(): BoundAddress[];
  /** Every connection finishes what it does and then closes; ports stay open. */
  drain(): void;
  /** Closes ports and connections. */
  close(): Promise<void>;
}

/** How long connections of replaced filter chains may go on (Envoy's default `--drain-time-s`). */
const REPLACED_CHAIN_DRAIN_MS = 600_000;

/** For outbound requests that are in flight when the last inbound connection is done. */
const LAST_DRAIN_MS = 500;

export interface ListenerManagerOptions {
  /** Several processes listen on the same ports (`SO_REUSEPORT`); the system spreads connections over them. */
  readonly reusePort?: boolean;
  /** Of all listeners together, except those that do not count; default: no limit. */
  readonly connectionLimit?: { readonly max: number; readonly isOfOverloadManager: boolean };
  /** Who may connect to the outbound listeners, which give whoever does the workload's identity; default: everybody. */
  readonly admitOutbound?: AdmitConnection;
  /** Kept up to date. */
  readonly own?: OwnListeners;
  /** How original destinations are learnt; default: from the system, loaded when the first listener asks. */
  readonly openOriginalDestinations?: () => Promise<OriginalDestinations>;
}

export function openListenerManager(ctx: ProxyContext, options: ListenerManagerOptions = {}): ListenerManager {
  return new Manager(ctx, options);
}

interface BoundPort {
  readonly address: ListenerAddress;
  readonly server: Server;
}

interface Entry {
  listener: CompiledListener;
  ports: BoundPort[];
  readonly connections: ConnectionSet;
}

class Manager implements ListenerManager {
  /** Those that count towards the limit of all listeners. */
  #connections = 0;
  readonly #ctx: ProxyContext;
  readonly #options: ListenerManagerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #leaving = new Set<ConnectionSet>();
  readonly #own: OwnListeners;
  readonly #index = new ListenerIndex<Entry>();
  #originalDestinations: OriginalDestinations | null = null;
  #isDraining = false;
  #isShuttingDown = false;

  constructor(ctx: ProxyContext, options: ListenerManagerOptions) {
    this.#ctx = ctx;
    this.#options = options;
    this.#own = options.own ?? new OwnListeners();
  }

  async apply(listener: CompiledListener): Promise<void> {
    if (this.#isShuttingDown) throw new FlotillaError('unavailable', 'the proxy is stopping');
    const known = this.#entries.get(listener.name);
    const entry: Entry = known ?? { listener, ports: [], connections: new ConnectionSet() };
    const wanted = listener.bindsToPort ? listener.addresses : [];
    if (listener.readsOriginalDestination && this.#originalDestinations === null) {
      const open = this.#options.openOriginalDestinations ?? (() => openOriginalDestinations(this.#ctx.logger));
      this.#originalDestinations = await open();
    }
    const kept = entry.ports.filter(({ address }) => wanted.some((other) => isSame(address, other)));
    const added = await this.#bindAll(
      entry,
      listener,
      wanted.filter((address) => !kept.some((port) => isSame(port.address, address))),
    );
    const gone = entry.ports.filter((port) => !kept.includes(port));
    // One step: the next connection meets the new chains.
    if (known !== undefined) this.#index.remove(entry, entry.listener.addresses);
    entry.listener = listener;
    entry.ports = [...kept, ...added];
    this.#entries.set(listener.name, entry);
    this.#index.add(entry, listener.addresses);
    for (const port of gone) this.#unbind(port);
    entry.connections.keepOnly(new Set(listener.chains.map((chain) => chain.fingerprint)));
    if (entry.connections.drainingCount > 0) {
      this.#ctx.clock.after(REPLACED_CHAIN_DRAIN_MS, () => entry.connections.destroyDraining());
    }
    if (this.#isDraining) entry.connections.drain();
  }

  async remove(name: string, { drainMs }: { readonly drainMs: number }): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#index.remove(entry, entry.listener.addresses);
    for (const port of entry.ports) this.#unbind(port);
    const { connections } = entry;
    connections.drain();
    if (connections.isEmpty) return;
    this.#leaving.add(connections);
    await new Promise<void>((resolve) => {
      const timer = this.#ctx.clock.after(drainMs, () => {
        connections.destroy();
        resolve();
      });
      connections.onEmpty(() => {
        timer.cancel();
        resolve();
      });
    });
    this.#leaving.delete(connections);
  }

  hasConnections(): boolean {
    return [...this.#entries.values()].some(({ connections }) => !connections.isEmpty);
  }

  async shutDown(drainMs: number): Promise<void> {
    this.#isShuttingDown = true;
    const { clock } = this.#ctx;
    const startMs = clock.monotonicMs();
    const isOutbound = (wanted: boolean) =>
      [...this.#entries.values()].filter(({ listener }) => listener.isOutbound === wanted);
    const removeAll = (entries: readonly Entry[], leftMs: number) =>
      Promise.all(entries.map(({ listener: { name } }) => this.remove(name, { drainMs: leftMs })));
    await removeAll(isOutbound(false), drainMs);
    const leftMs = drainMs - (clock.monotonicMs() - startMs);
    await removeAll(isOutbound(true), Math.max(leftMs, Math.min(drainMs, LAST_DRAIN_MS)));
  }

  addresses(): BoundAddress[] {
    return [...this.#entries].flatMap(([name, { ports }]) =>
      ports.flatMap(({ server }) => {
        const bound = server.address();
        return bound === null || typeof bound === 'string' ? [] : [{ name, host: bound.address, port: bound.port }];
      }),
    );
  }

  drain(): void {
    this.#isDraining = true;
    for (const { connections } of this.#entries.values()) connections.drain();
  }

  async close(): Promise<void> {
    const closing = [...this.#entries.values()].flatMap(({ ports }) =>
      ports.map(({ server }) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    for (const entry of this.#entries.values()) {
      entry.connections.destroy();
      this.#index.remove(entry, entry.listener.addresses);
    }
    for (const connections of this.#leaving) connections.destroy();
    this.#entries.clear();
    await Promise.all(closing);
  }

  async #bindAll(entry: Entry, listener: CompiledListener, addresses: readonly ListenerAddress[]) {
    const bound: BoundPort[] = [];
    try {
      for (const address of addresses) bound.push(await this.#bind(entry, listener, address));
    } catch (error) {
      for (const port of bound) this.#unbind(port);
      throw error;
    }
    return bound;
  }

  async #bind(entry: Entry, listener: CompiledListener, address: ListenerAddress): Promise<BoundPort> {
    const server = createTcpServer(
      { pauseOnConnect: true, noDelay: true, allowHalfOpen: true },
      {
        onError: logged(this.#ctx.logger, `accepting on listener "${listener.name}"`),
        // An ordinary end.
        onSocketError: closeFollows,
      },
      (socket) => this.#accept(entry, socket),
    );
    const { host, port, isIpv4Too } = address;
    const { reusePort = false } = this.#options;
    const backlog = listener.backlog === null ? {} : { backlog: listener.backlog };
    try {
      await listen(server, { host, port, reusePort, ipv6Only: host === '::' && isIpv4Too !== true, ...backlog });
    } catch (error) {
      throw bindFailure(listener.name, address, error);
    }
    this.#own.add(address);
    return { address, server };
  }

  #unbind({ address, server }: BoundPort): void {
    this.#own.remove(address);
    server.close();
  }

  #accept(entry: Entry, socket: Socket): void {
    const { listener } = entry;
    const { connectionLimit, admitOutbound } = this.#options;
    if (admitOutbound !== undefined && listener.isOutbound && !admitOutbound(socket)) {
      socket.destroy();
      return;
    }
    const isExempt =
      listener.ignoresGlobalLimit ||
      (listener.bypassesOverloadManager && connectionLimit?.isOfOverloadManager === true);
    if (connectionLimit !== undefined && connectionLimit.max !== Infinity && !isExempt) {
      if (this.#connections >= connectionLimit.max) {
        listener.stats.globalOverflow.value += 1;
        socket.destroy();
        return;
      }
      this.#connections += 1;
      socket.once('close', () => (this.#connections -= 1));
    }
    const originals = this.#originalDestinations ?? localDestinations;
    const destination = listener.readsOriginalDestination ? originals.of(socket) : null;
    // The listener that stands for the destination; without one the connection stays here.
    const owner = (listener.handsOver && destination !== null ? this.#index.find(destination) : null) ?? entry;
    acceptConnection(socket, owner.listener, destination, this.#ctx, owner.connections);
  }
}

function isSame(a: ListenerAddress, b: ListenerAddress): boolean {
  return a.host === b.host && a.port === b.port && a.isIpv4Too === b.isIpv4Too;
}
