import { createClient, type Transport } from '@connectrpc/connect';
import { type GapListener, Subscriptions, type VersionBus, type VersionListener } from '@flotilla/bus';
import { keyFromWire } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';

export interface WatchBusOptions {
  readonly galley: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const RETRY = { baseMs: 100, maxMs: 5_000 };

/**
 * The version bus of a pilot without Redis: galley's own stream of versions, opened with the first subscription and
 * again whenever it ends. Only listens; publishing is galley's part.
 */
export function createWatchBus(options: WatchBusOptions): VersionBus {
  return new WatchBus(options);
}

class WatchBus implements VersionBus {
  readonly #options: WatchBusOptions;
  readonly #client;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Subscriptions();
  readonly #closed = new AbortController();
  #version = 0n;
  #epoch = '';
  #isWatching = false;
  #timer: Timer | null = null;

  constructor(options: WatchBusOptions) {
    this.#options = options;
    this.#client = createClient(GalleyService, options.galley);
    this.#backoff = new Backoff(RETRY, options.random);
  }

  publish(): Promise<void> {
    return Promise.reject(new FlotillaError('internal', 'versions are announced by galley'));
  }

  async subscribe(listener: VersionListener, onGap?: GapListener): Promise<() => void> {
    if (this.#closed.signal.aborted) throw new FlotillaError('unavailable', 'the version bus is closed');
    const end = this.#subscriptions.add(listener, onGap);
    if (!this.#isWatching) {
      this.#isWatching = true;
      void this.#watch();
    }
    return end;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#timer?.cancel();
    this.#subscriptions.clear();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closed;
    try {
      const since = { sinceVersion: this.#version, sinceEpoch: this.#epoch };
      for await (const { epoch, version, changes } of this.#client.watch(since, { signal })) {
        this.#version = version;
        this.#epoch = epoch;
        this.#backoff.reset();
        const keys = changes.map(({ key }) => keyFromWire(key));
        this.#subscriptions.tell({ epoch, version: Number(version), keys });
      }
      throw new FlotillaError('unavailable', 'galley ended the stream');
    } catch (error) {
      if (signal.aborted) return;
      const waitMs = this.#backoff.nextMs();
      this.#options.logger.debug('the stream of versions from galley broke', {
        error: FlotillaError.from(error),
        waitMs,
      });
      this.#timer = this.#options.clock.after(waitMs, () => void this.#watch());
    }
  }
}
