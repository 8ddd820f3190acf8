import { createClient, type Transport } from '@connectrpc/connect';
import type { VersionBus } from '@flotilla/bus';
import { describeKey, keyFromWire, type ResourceKey, toMeshResource } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import { type Change, GalleyService, type ListChangesResponse } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { MeshChange, MeshUpdate } from '@flotilla/translate';

export interface FollowOptions {
  readonly galley: Transport;
  readonly bus: VersionBus;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called in order of versions, first with a snapshot. */
  readonly onUpdate: (update: MeshUpdate) => void;
}

/** A version, and in which life of galley's store it counts. */
interface Revision {
  readonly epoch: string;
  readonly version: number;
}

// An announcement may get lost: look now and then without one.
const LOOK_EVERY_MS = 10_000;
const RETRY = { baseMs: 50, maxMs: 2_000 };

/**
 * Follows galley's versions: a snapshot first, then the changes after it whenever the bus announces some. The bus only
 * says "look"; what is true is what galley answers. Galley away: the last mesh stays, and it is asked again with
 * back-off.
 */
export class Follower {
  readonly #options: FollowOptions;
  readonly #client;
  readonly #backoff: Backoff;
  /** `null` until the first snapshot. */
  #reached: Revision | null = null;
  /** The newest that was announced, and cannot be asked for while a fetch is under way. */
  #announced: Revision | null = null;
  /** Announcements may have been missed since the fetch under way began. */
  #isGap = false;
  #isFetching = false;
  #isClosed = false;
  #timer: Timer | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#client = createClient(GalleyService, options.galley);
    this.#backoff = new Backoff(RETRY, options.random);
  }

  async start(): Promise<void> {
    // Subscribed before the first look, so that no version falls between the two.
    this.#unsubscribe = await this.#options.bus.subscribe(
      ({ epoch, version }) => {
        this.#announced = { epoch, version };
        if (this.#isAhead(this.#announced)) this.#look();
      },
      () => {
        this.#isGap = true;
        this.#look();
      },
    );
    this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe?.();
    this.#timer?.cancel();
  }

  /** Of another epoch, a version may be anything: only galley knows. */
  #isAhead({ epoch, version }: Revision): boolean {
    return this.#reached === null || epoch !== this.#reached.epoch || version > this.#reached.version;
  }

  #look(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#isFetching || this.#isClosed) return;
    this.#isFetching = true;
    this.#isGap = false;
    this.#announced = null;
    void this.#fetch().then((waitMs) => {
      this.#isFetching = false;
      if (this.#isClosed) return;
      const hasMore = this.#isGap || (this.#announced !== null && this.#isAhead(this.#announced));
      if (hasMore && waitMs === LOOK_EVERY_MS) {
        this.#look();
        return;
      }
      this.#timer ??= this.#options.clock.after(waitMs, () => this.#look());
    });
  }

  /** Resolves with the time to wait before looking again unasked. */
  async #fetch(): Promise<number> {
    const { logger, onUpdate } = this.#options;
    try {
      const { epoch, version } = this.#reached ?? { epoch: '', version: 0 };
      const response = await this.#client.listChanges({ sinceVersion: BigInt(version), sinceEpoch: epoch });
      if (this.#isClosed) return LOOK_EVERY_MS;
      const update = this.#decode(response);
      const reached = { epoch: response.epoch, version: update.version };
      const isNews = this.#reached === null || update.changes.length > 0 || !isSame(reached, this.#reached);
      this.#reached = reached;
      this.#backoff.reset();
      if (isNews) onUpdate(update);
      return LOOK_EVERY_MS;
    } catch (error) {
      const waitMs = this.#backoff.nextMs();
      logger.warn('galley could not be asked for changes', { error: FlotillaError.from(error), waitMs });
      return waitMs;
    }
  }

  #decode(response: ListChangesResponse): MeshUpdate {
    const unreadable: ResourceKey[] = [];
    return {
      version: Number(response.version),
      isSnapshot: response.snapshot,
      changes: response.changes.flatMap((change) => this.#decodeChange(change, unreadable)),
      unreadable,
    };
  }

  #decodeChange(change: Change, unreadable: ResourceKey[]): MeshChange[] {
    const key = keyFromWire(change.key);
    if (change.resource === undefined) return [{ key, resource: null }];
    try {
      const resource = toMeshResource(change.resource);
      return resource === null ? [] : [{ key, resource }];
    } catch (error) {
      // One resource that this version cannot read must not stop all others.
      unreadable.push(key);
      this.#options.logger.error(`${describeKey(key)} is left out, or stays as it was`, {
        error: FlotillaError.from(error),
      });
      return [];
    }
  }
}

function isSame(a: Revision, b: Revision): boolean {
  return a.epoch === b.epoch && a.version === b.version;
}
