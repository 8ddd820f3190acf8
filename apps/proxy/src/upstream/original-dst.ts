import { isIP } from 'node:net';
import type { Clock, Timer } from '@flotilla/runtime';
import { Host } from './host.ts';
import type { Transport } from './transport.ts';

/**
 * Hosts made on demand from where clients wanted to go. One that served nobody for two rounds of the clean-up is
 * drained and forgotten.
 */
export class OriginalDestinations {
  readonly #hosts = new Map<string, { readonly host: Host; isUsed: boolean }>();
  readonly #transport: Transport;
  readonly #portOverride: number | null;
  readonly #clock: Clock;
  readonly #cleanupIntervalMs: number;
  #timer: Timer | null = null;

  constructor(transport: Transport, portOverride: number | null, cleanupIntervalMs: number, clock: Clock) {
    this.#transport = transport;
    this.#portOverride = portOverride;
    this.#cleanupIntervalMs = cleanupIntervalMs;
    this.#clock = clock;
  }

  /** Null when the destination is not known or not an address. */
  hostFor(destination: { readonly host: string; readonly port: number } | null): Host | null {
    if (destination === null || isIP(destination.host) === 0) return null;
    const port = this.#portOverride ?? destination.port;
    const key = `${destination.host} ${port}`;
    const known = this.#hosts.get(key);
    if (known !== undefined) {
      known.isUsed = true;
      return known.host;
    }
    const spec = { host: destination.host, port, path: null, hostname: '', weight: 1, health: 'healthy' } as const;
    const host = new Host({ ...spec, peer: null, transportIndex: 0 }, this.#transport);
    this.#hosts.set(key, { host, isUsed: true });
    this.#timer ??= this.#clock.after(this.#cleanupIntervalMs, () => this.#cleanUp());
    return host;
  }

  *hosts(): IterableIterator<Host> {
    for (const { host } of this.#hosts.values()) yield host;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #cleanUp(): void {
    for (const [key, entry] of this.#hosts) {
      if (!entry.isUsed && entry.host.activeRequests === 0) {
        this.#hosts.delete(key);
        entry.host.drain();
      }
      entry.isUsed = false;
    }
    this.#timer = this.#hosts.size === 0 ? null : this.#clock.after(this.#cleanupIntervalMs, () => this.#cleanUp());
  }
}
