import { FlotillaError } from '@flotilla/runtime';
import type { VersionAnnouncement, VersionBus, VersionListener } from './version-bus.ts';

/** The bus of the embedded mesh, where galley and pilot share a process. Listeners hear in the order of publishing. */
export function createInProcessBus(): VersionBus {
  return new InProcessBus();
}

class InProcessBus implements VersionBus {
  readonly #subscriptions = new Set<{ readonly listener: VersionListener }>();
  #isClosed = false;

  async publish(announcement: VersionAnnouncement): Promise<void> {
    this.#assertOpen();
    // Frozen, since all listeners get the same object.
    const frozen = Object.freeze({ version: announcement.version, keys: Object.freeze([...announcement.keys]) });
    for (const subscription of [...this.#subscriptions]) {
      // Not within the publisher's call: a listener must neither delay it nor see its half-done work.
      queueMicrotask(() => {
        if (this.#subscriptions.has(subscription)) hear(subscription.listener, frozen);
      });
    }
  }

  async subscribe(listener: VersionListener): Promise<() => void> {
    this.#assertOpen();
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#subscriptions.clear();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the version bus is closed');
  }
}

function hear(listener: VersionListener, announcement: VersionAnnouncement): void {
  try {
    listener(announcement);
  } catch (error) {
    // As Node treats a throwing event listener, but without stopping the other listeners: reported as a warning.
    process.emitWarning(error instanceof Error ? error : new Error(String(error)), 'VersionBusListener');
  }
}
