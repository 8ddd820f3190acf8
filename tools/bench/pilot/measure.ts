import { setTimeout as delay } from 'node:timers/promises';
import { TYPE_URLS } from '@flotilla/xds';
import { LoadProxy } from './load.ts';
import type { Peer } from './peers.ts';
import type { ResponseHead } from './response.ts';
import { changedService, clusterOf, serviceEntry, virtualService } from './world.ts';
import { median } from '../statistics.ts';

export const LINES = [
  'start to ready, ms',
  'first sync of all, s',
  'first sync, CPU s',
  'first sync, KB a proxy',
  'connections lost',
  'RSS after sync, MiB',
  'endpoint change, last ACK p50, ms',
  'endpoint change, CPU ms',
  'endpoint change, KB a proxy',
  'VirtualService change, last ACK p50, ms',
  'VirtualService change, CPU ms',
  'VirtualService change, KB a proxy',
] as const;
export type Line = (typeof LINES)[number];
export type Measured = Readonly<Record<Line, number>>;

export interface MeasureOptions {
  readonly services: number;
  readonly proxies: number;
  /** Of each kind. */
  readonly changes: number;
}

const SYNC_MS = 180_000;
const CHANGE_MS = 60_000;
/** Nothing has come for so long: whatever the peer had to do is done. */
const QUIET_MS = 700;

interface Change {
  readonly lastMs: number;
  readonly cpuMs: number;
  readonly kilobytes: number;
}

/** One round of one peer. What does not come about in time is NaN. */
export async function measure(peer: Peer, options: MeasureOptions): Promise<Measured> {
  const load = new Load(peer, options);
  try {
    const sync = await load.sync();
    const rssMib = peer.process.rssMib();
    const endpoint = await load.changes((change) => {
      const { endpoints } = changedService(change, options.services);
      const cluster = clusterOf(endpoints);
      const isOf = (response: ResponseHead) => response.typeUrl === TYPE_URLS.EDS && response.names.includes(cluster);
      return { resource: serviceEntry(endpoints, change), isOf };
    });
    const rule = await load.changes((change) => ({
      resource: virtualService(changedService(change, options.services).rule, change),
      isOf: (response: ResponseHead) => response.typeUrl === TYPE_URLS.RDS,
    }));
    return {
      'start to ready, ms': peer.readyMs,
      'first sync of all, s': sync.seconds,
      'first sync, CPU s': sync.cpuSeconds,
      'first sync, KB a proxy': sync.kilobytes,
      'connections lost': load.lost,
      'RSS after sync, MiB': rssMib,
      'endpoint change, last ACK p50, ms': endpoint.lastMs,
      'endpoint change, CPU ms': endpoint.cpuMs,
      'endpoint change, KB a proxy': endpoint.kilobytes,
      'VirtualService change, last ACK p50, ms': rule.lastMs,
      'VirtualService change, CPU ms': rule.cpuMs,
      'VirtualService change, KB a proxy': rule.kilobytes,
    };
  } finally {
    load.close();
  }
}

class Load {
  readonly #peer: Peer;
  readonly #options: MeasureOptions;
  readonly #proxies: LoadProxy[];
  #onResponse: (proxy: number, response: ResponseHead) => void = () => undefined;
  #lastAt = 0;

  constructor(peer: Peer, options: MeasureOptions) {
    this.#peer = peer;
    this.#options = options;
    this.#proxies = Array.from(
      { length: options.proxies },
      (_, index) =>
        new LoadProxy(peer.xdsPort, index, options.services, (response) => {
          this.#lastAt = performance.now();
          this.#onResponse(index, response);
        }),
    );
  }

  get lost(): number {
    return this.#proxies.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** All connect at once, and wait for all that they ask for. */
  async sync(): Promise<{ readonly seconds: number; readonly cpuSeconds: number; readonly kilobytes: number }> {
    const startedAt = performance.now();
    const cpuBefore = this.#peer.process.cpuSeconds();
    const missing = new Set(this.#proxies.keys());
    const synced = this.#until(SYNC_MS, (proxy) => {
      if (this.#proxies[proxy]?.isSynced === true) missing.delete(proxy);
      return missing.size === 0;
    });
    for (const proxy of this.#proxies) proxy.open();
    const at = await synced;
    await this.#quiet();
    return {
      seconds: (at - startedAt) / 1000,
      cpuSeconds: this.#peer.process.cpuSeconds() - cpuBefore,
      kilobytes: this.#bytes() / this.#proxies.length / 1000,
    };
  }

  /** One change after another, each on a quiet mesh. */
  async changes(
    next: (change: number) => {
      readonly resource: Parameters<Peer['apply']>[0];
      readonly isOf: (response: ResponseHead) => boolean;
    },
  ): Promise<Change> {
    const lasts: number[] = [];
    const cpuBefore = this.#peer.process.cpuSeconds();
    const bytesBefore = this.#bytes();
    for (let change = 1; change <= this.#options.changes; change++) {
      const { resource, isOf } = next(change);
      const missing = new Set(this.#proxies.keys());
      const spread = this.#until(CHANGE_MS, (proxy, response) => {
        if (isOf(response)) missing.delete(proxy);
        return missing.size === 0;
      });
      const committedAt = this.#peer.apply(resource);
      lasts.push((await spread) - committedAt);
      await this.#quiet();
    }
    return {
      lastMs: median(lasts),
      cpuMs: ((this.#peer.process.cpuSeconds() - cpuBefore) * 1000) / this.#options.changes,
      kilobytes: (this.#bytes() - bytesBefore) / this.#options.changes / this.#proxies.length / 1000,
    };
  }

  close(): void {
    for (const proxy of this.#proxies) proxy.close();
  }

  #bytes(): number {
    return this.#proxies.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Resolves with the time at which a response fulfilled it, NaN when none did in time. */
  #until(deadlineMs: number, isDone: (proxy: number, response: ResponseHead) => boolean): Promise<number> {
    return new Promise((resolve) => {
      const end = (at: number) => {
        clearTimeout(timer);
        this.#onResponse = () => undefined;
        resolve(at);
      };
      const timer = setTimeout(() => end(Number.NaN), deadlineMs);
      this.#onResponse = (proxy, response) => {
        if (isDone(proxy, response)) end(performance.now());
      };
    });
  }

  async #quiet(): Promise<void> {
    this.#lastAt = performance.now();
    while (performance.now() - this.#lastAt < QUIET_MS) await delay(QUIET_MS / 4); // waits for nothing to happen
  }
}
