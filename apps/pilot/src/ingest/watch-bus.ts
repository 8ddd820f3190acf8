import { createClient, type Transport } from '@connectrpc/connect';
import type { VersionBus, VersionListener } from '@flotilla/bus';
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
  readonly #subscriptions = new Set<{ readonly listener: VersionListener }>();
  readonly #closed = new AbortController();
  #version = 0n;
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

  async subscribe(listener: VersionListener): Promise<() => void> {
    if (this.#closed.signal.aborted) throw new FlotillaError('unavailable', 'the version bus is closed');
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    if (!this.#isWatching) {
      this.#isWatching = true;
      void this.#watch();
    }
    return () => void this.#subscriptions.delete(subscription);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#timer?.cancel();
    this.#subscriptions.clear();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closed;
    try {
      for await (const { version, changes } of this.#client.watch({ sinceVersion: this.#version }, { signal })) {
        this.#version = version;
        this.#backoff.reset();
        this.#announce(Number(version), changes);
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

  #announce(version: number, changes: readonly { readonly key?: Parameters<typeof keyFromWire>[0] }[]): void {
    const keys = changes.map(({ key }) => keyFromWire(key));
    for (const { listener } of [...this.#subscriptions]) {
      try {
        listener({ version, keys });
      } catch (error) {
        this.#options.logger.error('a listener of the version bus failed', { error });
      }
    }
  }
}
