import type { VersionBus } from '@flotilla/bus';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import type { StoreOptions } from '../store/open-store.ts';
import type { ConfigWriter } from './config-writer.ts';

export interface FollowStoreOptions {
  readonly writer: ConfigWriter;
  readonly bus: VersionBus;
  readonly store: StoreOptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

// An announcement may get lost, as by a process that ends between commit and announcement.
const LOOK_EVERY_MS = 10_000;

/**
 * Keeps the set in step with what other processes commit to the same store: on their announcements, when announcements
 * or the store were away, and now and then. Resolves with the function that ends it.
 */
export async function followStore({ writer, bus, store, clock, logger }: FollowStoreOptions): Promise<() => void> {
  let isFailing = false;
  const look = (): void => {
    writer.refresh().then(
      () => void (isFailing = false),
      (error: unknown) => {
        // Once an outage: it is tried again with every look.
        if (!isFailing) logger.warn('galley cannot catch up with its store', { error: FlotillaError.from(error) });
        isFailing = true;
      },
    );
  };
  const unsubscribe = await bus.subscribe(({ epoch, version }) => {
    if (epoch !== writer.revision.epoch || version > writer.version) look();
  }, look);
  const disconnect =
    store.kind === 'sqlite'
      ? () => undefined
      : store.connection.subscribe((isConnected) => {
          if (isConnected) look();
        });
  let timer: Timer;
  const plan = (): Timer =>
    clock.after(LOOK_EVERY_MS, () => {
      look();
      timer = plan();
    });
  timer = plan();
  return () => {
    timer.cancel();
    disconnect();
    unsubscribe();
  };
}
