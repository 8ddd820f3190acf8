import type { Logger } from '@flotilla/observe';
import type { Channel, RedisConnection } from '@flotilla/redis';
import { FlotillaError } from '@flotilla/runtime';
import { decodeAnnouncement, encodeAnnouncement } from './announcement.ts';
import { Subscriptions } from './subscriptions.ts';
import type { GapListener, VersionAnnouncement, VersionBus, VersionListener } from './version-bus.ts';

export interface RedisBusOptions {
  /** Not closed by the bus. */
  readonly connection: RedisConnection;
  readonly logger: Logger;
}

const CHANNEL = 'versions';

/** The bus between processes: PUBLISH and SUBSCRIBE on `{prefix}:versions`. */
export function createRedisBus(options: RedisBusOptions): VersionBus {
  return new RedisBus(options);
}

class RedisBus implements VersionBus {
  readonly #options: RedisBusOptions;
  readonly #subscriptions = new Subscriptions();
  /** Opened by the first subscription: who only publishes needs none. */
  #channel: Channel | null = null;
  #firstOpen: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: RedisBusOptions) {
    this.#options = options;
  }

  async publish(announcement: VersionAnnouncement): Promise<void> {
    this.#assertOpen();
    const { connection } = this.#options;
    await connection.call('PUBLISH', connection.key(CHANNEL), encodeAnnouncement(announcement));
  }

  async subscribe(listener: VersionListener, onGap?: GapListener): Promise<() => void> {
    this.#assertOpen();
    this.#firstOpen ??= this.#open();
    // With Redis away nobody has to wait: the gap is told when it ends.
    if (this.#options.connection.isConnected) await this.#firstOpen;
    this.#assertOpen();
    return this.#subscriptions.add(listener, onGap);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#subscriptions.clear();
    await this.#channel?.close();
  }

  /** Resolves when the channel is heard for the first time, or Redis went away before that. */
  #open(): Promise<void> {
    const { connection } = this.#options;
    return new Promise((resolve) => {
      this.#channel = connection.openChannel(CHANNEL, {
        message: (bytes) => this.#hear(bytes),
        open: () => {
          resolve();
          this.#subscriptions.tellGap();
        },
      });
      const end = connection.subscribe((isConnected) => {
        if (isConnected) return;
        resolve();
        queueMicrotask(() => end());
      });
    });
  }

  #hear(bytes: Uint8Array): void {
    try {
      this.#subscriptions.tell(decodeAnnouncement(bytes));
    } catch (error) {
      const { message, hint } = FlotillaError.from(error);
      this.#options.logger.warn(`a message on the version bus is ignored: ${message}`, { hint });
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the version bus is closed');
  }
}
