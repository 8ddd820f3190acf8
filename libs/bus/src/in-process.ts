import { FlotillaError } from '@flotilla/runtime';
import { Subscriptions } from './subscriptions.ts';
import type { GapListener, VersionAnnouncement, VersionBus, VersionListener } from './version-bus.ts';

export interface InProcessBus extends VersionBus {
  /** Does what a connection does that broke and is back: announcements of a while are lost. For tests. */
  interrupt(whileCutOff: () => Promise<void>): Promise<void>;
}

/** The bus of the embedded mesh, where galley and pilot share a process. Listeners hear in the order of publishing. */
export function createInProcessBus(): InProcessBus {
  return new DirectBus();
}

class DirectBus implements InProcessBus {
  readonly #subscriptions = new Subscriptions();
  #isCutOff = false;
  #isClosed = false;

  async publish({ epoch, version, keys }: VersionAnnouncement): Promise<void> {
    this.#assertOpen();
    if (this.#isCutOff) return;
    // Frozen, since all listeners get the same object.
    this.#subscriptions.tell(Object.freeze({ epoch, version, keys: Object.freeze([...keys]) }));
  }

  async subscribe(listener: VersionListener, onGap?: GapListener): Promise<() => void> {
    this.#assertOpen();
    return this.#subscriptions.add(listener, onGap);
  }

  async interrupt(whileCutOff: () => Promise<void>): Promise<void> {
    this.#isCutOff = true;
    await whileCutOff();
    this.#isCutOff = false;
    this.#subscriptions.tellGap();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#subscriptions.clear();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the version bus is closed');
  }
}
