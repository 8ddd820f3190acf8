import type { Membership } from '@flotilla/bus';
import { AUTOMATIC_ANNOTATION, formatKey, type ResourceKey } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import type { Config } from '@flotilla/translate';
import { controllerOf } from './workload-entry.ts';

export interface OrphanOptions {
  readonly pilotId: string;
  /** `null`: which other pilots live is not known. */
  readonly membership: Membership | null;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an entry must have been an orphan. */
  readonly graceMs: number;
  /** The entries there are now. */
  readonly entries: () => readonly Config<'WorkloadEntry'>[];
  /** Whether the entry's proxy is connected here, or was a moment ago. */
  readonly isHere: (id: string) => boolean;
  /** An entry whose proxy is here and whose controller is dead. */
  readonly onFoundHere: (id: string) => void;
  /** An entry that nobody came back for. */
  readonly onOrphan: (id: string, key: ResourceKey, controller: string) => void;
}

/** In which version an entry was found abandoned, and since when. */
interface Sighting {
  readonly resourceVersion: number;
  readonly sinceMs: number;
}

// Four looks, at the least, before an entry goes.
const LOOKS_IN_GRACE = 3;
const MAX_LOOK_EVERY_MS = 5_000;

/**
 * Looks now and then for automatic entries that a pilot left behind which lives no more, or that have no controller. An
 * entry that stays one, unwritten by anybody, for all of the grace is an orphan: its proxy had the time to reconnect to
 * another pilot, which would own it. Where it cannot be told who lives, nobody counts as dead.
 */
export class OrphanSearch {
  readonly #options: OrphanOptions;
  #abandoned = new Map<string, Sighting>();
  #isTold = true;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(options: OrphanOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#search().then(() => {
      if (this.#isClosed) return;
      const everyMs = Math.min(MAX_LOOK_EVERY_MS, this.#options.graceMs / LOOKS_IN_GRACE);
      this.#timer = this.#options.clock.after(everyMs, () => this.start());
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #search(): Promise<void> {
    const { entries, isHere, onFoundHere, onOrphan, clock, graceMs, pilotId } = this.#options;
    const dead = await this.#deadControllers(new Set(entries().map(controllerOf)));
    if (this.#isClosed) return;
    const abandoned = new Map<string, Sighting>();
    // From here on at one go, and by what the mesh says now.
    for (const entry of entries()) {
      const controller = controllerOf(entry);
      if (entry.annotations[AUTOMATIC_ANNOTATION] === undefined || !dead.has(controller)) continue;
      const id = formatKey(entry.key);
      if (isHere(id)) {
        if (controller !== pilotId) onFoundHere(id);
        continue;
      }
      const before = this.#abandoned.get(id);
      const since =
        before?.resourceVersion === entry.resourceVersion
          ? before
          : { resourceVersion: entry.resourceVersion, sinceMs: clock.monotonicMs() };
      abandoned.set(id, since);
      if (clock.monotonicMs() - since.sinceMs >= graceMs) onOrphan(id, entry.key, controller);
    }
    this.#abandoned = abandoned;
  }

  /** This pilot is among them: what it has as its own without knowing the proxy, an earlier process of its id wrote. */
  async #deadControllers(controllers: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const { membership, pilotId, logger } = this.#options;
    const others = [...controllers].filter((id) => id !== '' && id !== pilotId);
    try {
      if (membership === null) return new Set(['', pilotId]);
      const present = await Promise.all(others.map((id) => membership.isPresent(id)));
      this.#isTold = true;
      return new Set(['', pilotId, ...others.filter((_, index) => present[index] === false)]);
    } catch (error) {
      if (this.#isTold && !this.#isClosed) {
        logger.warn('it cannot be told which pilots live: what others registered stays', {
          error: FlotillaError.from(error),
        });
      }
      this.#isTold = false;
      return new Set(['', pilotId]);
    }
  }
}
