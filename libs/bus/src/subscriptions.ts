import type { GapListener, VersionAnnouncement, VersionListener } from './version-bus.ts';

interface Subscription {
  readonly listener: VersionListener;
  readonly onGap: GapListener | undefined;
}

/** Who listens to a bus. One that throws keeps no other from hearing. */
export class Subscriptions {
  readonly #all = new Set<Subscription>();

  /** Returns the function that ends the subscription, which is idempotent. */
  add(listener: VersionListener, onGap: GapListener | undefined): () => void {
    const subscription = { listener, onGap };
    this.#all.add(subscription);
    return () => void this.#all.delete(subscription);
  }

  tell(announcement: VersionAnnouncement): void {
    this.#each(({ listener }) => listener(announcement));
  }

  tellGap(): void {
    this.#each(({ onGap }) => onGap?.());
  }

  clear(): void {
    this.#all.clear();
  }

  #each(call: (subscription: Subscription) => void): void {
    for (const subscription of [...this.#all]) {
      // Not within the teller's call: a listener must neither delay it nor see its half-done work.
      queueMicrotask(() => {
        if (!this.#all.has(subscription)) return;
        try {
          call(subscription);
        } catch (error) {
          // As Node treats a throwing event listener, but without stopping the other listeners: reported as a warning.
          process.emitWarning(error instanceof Error ? error : new Error(String(error)), 'VersionBusListener');
        }
      });
    }
  }
}
