import type { Logger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import type { Inventory } from '@flotilla/runtime/disk';
import type { ChangeSet, ConfigStore, Revision, Snapshot, StoreChange } from './config-store.ts';

export interface KnownStoreOptions {
  readonly inventory: Inventory;
  /** The store's place in messages. */
  readonly where: string;
  readonly logger: Logger;
}

/**
 * A store that is held to be the one that the inventory remembers: when it is opened, and with every look at it. What
 * was never written to is not remembered: there is nothing in it to lose. Throws `invalid` for another store; the
 * store that is given is closed then.
 */
export async function openKnownStore(store: ConfigStore, options: KnownStoreOptions): Promise<ConfigStore> {
  try {
    const { epoch, version } = await store.revision();
    // Begun again by a process that ended before it gave anything back: empty, whatever its forebears had.
    const forebears = version > 0 ? await store.forebears() : [];
    options.inventory.check('store', [epoch, ...forebears], options.where);
    return new KnownStore(store, options, epoch, version > 0 || options.inventory.has('store'));
  } catch (error) {
    await store.close();
    throw error;
  }
}

class KnownStore implements ConfigStore {
  readonly #store: ConfigStore;
  readonly #options: KnownStoreOptions;
  /** Of the store that was found to be the right one. */
  #epoch: string;
  #recorded = '';

  constructor(store: ConfigStore, options: KnownStoreOptions, epoch: string, isToRecord: boolean) {
    this.#store = store;
    this.#options = options;
    this.#epoch = epoch;
    if (isToRecord) this.#record(epoch);
  }

  async revision(): Promise<Revision> {
    const revision = await this.#store.revision();
    if (revision.epoch !== this.#epoch) await this.#follow(revision.epoch);
    return revision;
  }

  async snapshot(): Promise<Snapshot> {
    await this.revision();
    return this.#store.snapshot();
  }

  async commit(changes: readonly StoreChange[], expected: Revision): Promise<Snapshot> {
    const written = await this.#store.commit(changes, expected);
    this.#record(written.epoch);
    return written;
  }

  changesSince(revision: Revision): Promise<ChangeSet | null> {
    return this.#store.changesSince(revision);
  }

  forebears(): Promise<readonly string[]> {
    return this.#store.forebears();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Another epoch while in use: the same mesh's when it was made in the place of the one that this process knows. */
  async #follow(epoch: string): Promise<void> {
    const { inventory, where } = this.#options;
    inventory.check('store', [epoch, ...(await this.#store.forebears())], where);
    this.#epoch = epoch;
  }

  /** The commit stands, whatever becomes of this; it is tried again with the next one. */
  #record(epoch: string): void {
    if (epoch === this.#recorded) return;
    try {
      this.#options.inventory.record('store', epoch);
      this.#recorded = epoch;
    } catch (error) {
      this.#options.logger.warn('which store this is cannot be remembered', { error: FlotillaError.from(error) });
    }
  }
}
