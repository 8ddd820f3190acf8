import { isIP } from 'node:net';
import type { Clock, Timer } from '@flotilla/runtime';
import { Host } from './host.ts';
import type { Transport } from './transport.ts';

export interface OriginalDestinationOptions {
  readonly transport: Transport;
  readonly portOverride: number | null;
  readonly cleanupIntervalMs: number;
  readonly clock: Clock;
  /** Such a destination gets no host: its connections would come back for ever. */
  readonly isOwnListener: (destination: { readonly host: string; readonly port: number }) => boolean;
}

/**
 * Hosts made on demand from where clients wanted to go. One that served nobody for two rounds of the clean-up is
 * drained and forgotten.
 */
export class OriginalDestinations {
  readonly #hosts = new Map<string, { readonly host: Host; isUsed: boolean }>();
  readonly #options: OriginalDestinationOptions;
  #timer: Timer | null = null;

  constructor(options: OriginalDestinationOptions) {
    this.#options = options;
  }

  /** Null when the destination is not known, not an address, or this proxy itself. */
  hostFor(destination: { readonly host: string; readonly port: number } | null): Host | null {
    if (destination === null || isIP(destination.host) === 0) return null;
    const { portOverride, transport, isOwnListener, clock } = this.#options;
    const port = portOverride ?? destination.port;
    const key = `${destination.host} ${port}`;
    const known = this.#hosts.get(key);
    if (known !== undefined) {
      known.isUsed = true;
      return known.host;
    }
    if (isOwnListener({ host: destination.host, port })) return null;
    const spec = { host: destination.host, port, path: null, hostname: '', weight: 1, health: 'healthy' } as const;
    const host = new Host({ ...spec, peer: null, hashKey: null, transportIndex: 0 }, transport, clock.monotonicMs());
    this.#hosts.set(key, { host, isUsed: true });
    this.#timer ??= this.#cleanUpLater();
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
    this.#timer = this.#hosts.size === 0 ? null : this.#cleanUpLater();
  }

  #cleanUpLater(): Timer {
    const { clock, cleanupIntervalMs } = this.#options;
    return clock.after(cleanupIntervalMs, () => this.#cleanUp());
  }
}
