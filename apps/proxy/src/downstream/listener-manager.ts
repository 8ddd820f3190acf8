import { createServer, type Server, type Socket } from 'node:net';
import type { ProxyContext } from '../config/context.ts';
import { acceptConnection } from './accept.ts';
import { bindFailure } from './bind-failure.ts';
import type { CompiledListener, ListenerAddress } from './compiled-listener.ts';
import { ConnectionSet } from './connection-set.ts';
import { readOriginalDestination } from './original-dst.ts';

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
  addresses(): BoundAddress[];
  /** Every connection finishes what it does and then closes; ports stay open. */
  drain(): void;
  /** Closes ports and connections. */
  close(): Promise<void>;
}

/** How long connections of replaced filter chains may go on (Envoy's default `--drain-time-s`). */
const REPLACED_CHAIN_DRAIN_MS = 600_000;

export interface ListenerManagerOptions {
  /** Several processes listen on the same ports (`SO_REUSEPORT`); the system spreads connections over them. */
  readonly reusePort: boolean;
}

export function openListenerManager(
  ctx: ProxyContext,
  options: ListenerManagerOptions = { reusePort: false },
): ListenerManager {
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
  readonly #ctx: ProxyContext;
  readonly #options: ListenerManagerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #leaving = new Set<ConnectionSet>();
  #isDraining = false;

  constructor(ctx: ProxyContext, options: ListenerManagerOptions) {
    this.#ctx = ctx;
    this.#options = options;
  }

  async apply(listener: CompiledListener): Promise<void> {
    const known = this.#entries.get(listener.name);
    const entry: Entry = known ?? { listener, ports: [], connections: new ConnectionSet() };
    const wanted = listener.bindsToPort ? listener.addresses : [];
    const kept = entry.ports.filter(({ address }) => wanted.some((other) => isSame(address, other)));
    const added = await this.#bindAll(
      entry,
      listener,
      wanted.filter((address) => !kept.some((port) => isSame(port.address, address))),
    );
    const gone = entry.ports.filter((port) => !kept.includes(port));
    // One step: the next connection meets the new chains.
    entry.listener = listener;
    entry.ports = [...kept, ...added];
    this.#entries.set(listener.name, entry);
    for (const port of gone) port.server.close();
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
    for (const port of entry.ports) port.server.close();
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
    for (const { connections } of this.#entries.values()) connections.destroy();
    for (const connections of this.#leaving) connections.destroy();
    this.#entries.clear();
    await Promise.all(closing);
  }

  async #bindAll(entry: Entry, listener: CompiledListener, addresses: readonly ListenerAddress[]) {
    const bound: BoundPort[] = [];
    try {
      for (const address of addresses) bound.push(await this.#bind(entry, listener, address));
    } catch (error) {
      for (const port of bound) port.server.close();
      throw error;
    }
    return bound;
  }

  #bind(entry: Entry, listener: CompiledListener, address: ListenerAddress): Promise<BoundPort> {
    const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (socket) =>
      this.#accept(entry, socket),
    );
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(bindFailure(listener.name, address, error)));
      const { host, port } = address;
      const { reusePort } = this.#options;
      server.listen(
        { host, port, reusePort, ...(listener.backlog === null ? {} : { backlog: listener.backlog }) },
        () => {
          server.removeAllListeners('error');
          server.on('error', (error) => this.#ctx.logger.warn('accepting failed', { listener: listener.name, error }));
          resolve({ address, server });
        },
      );
    });
  }

  #accept(entry: Entry, socket: Socket): void {
    const { listener } = entry;
    const destination = listener.readsOriginalDestination ? readOriginalDestination(socket) : null;
    const heir = listener.handsOver && destination !== null ? this.#listenerFor(destination, listener) : null;
    const owner = heir ?? entry;
    acceptConnection(socket, owner.listener, destination, this.#ctx, owner.connections);
  }

  /** The listener that stands for an original destination: its exact address, else any address of its port. */
  #listenerFor(destination: ListenerAddress, from: CompiledListener): Entry | null {
    let wildcard: Entry | null = null;
    for (const entry of this.#entries.values()) {
      if (entry.listener === from) continue;
      for (const { host, port } of entry.listener.addresses) {
        if (port !== destination.port) continue;
        if (host === destination.host) return entry;
        if (host === '0.0.0.0' || host === '::') wildcard = entry;
      }
    }
    return wildcard;
  }
}

function isSame(a: ListenerAddress, b: ListenerAddress): boolean {
  return a.host === b.host && a.port === b.port;
}
