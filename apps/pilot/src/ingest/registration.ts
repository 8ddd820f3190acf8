import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import type { Logger } from '@flotilla/observe';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { AUTOMATIC_ANNOTATION, formatKey, type ResourceKey } from '@flotilla/model';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import { type EntryDocument, entryOf, isSameEntry } from './workload-entry.ts';

export interface RegistrationSettings {
  /** How long an entry outlives its proxy's last stream. */
  readonly graceMs: number;
  /** How long entries of proxies that are not connected are kept after a start. */
  readonly startupGraceMs: number;
}

export const DEFAULT_REGISTRATION: RegistrationSettings = { graceMs: 1_000, startupGraceMs: 15_000 };

export interface RegistrationOptions {
  readonly galley: Transport;
  readonly settings: RegistrationSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Presence {
  readonly entry: EntryDocument;
  streams: number;
  leaving: Timer | null;
  /**
   * The version since which galley has the entry; `null` while that is not known, as when galley refused it. A mesh of
   * that version or a later one without the entry says that somebody else removed or changed it.
   */
  presentSince: number | null;
}

const RETRY = { baseMs: 100, maxMs: 5_000 };
const SOURCE = 'pilot: registration';

/**
 * Keeps one WorkloadEntry in galley for every proxy that is connected with its own identity:
 *
 * ```
 * connected ─▶ entry written, unless galley has the very same ─▶ present
 * somebody else removes or changes it ─▶ written again
 * last stream ends ─▶ grace ─▶ entry removed         back within the grace ─▶ nothing is written
 * pilot starts ─▶ startup grace ─▶ entries without a proxy are removed
 * ```
 * Writes that fail are tried again until they succeed or are no longer wanted. Closing removes nothing: workloads live
 * on when pilot goes.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #client;
  readonly #backoff: Backoff;
  readonly #presences = new Map<string, Presence>();
  readonly #toWrite = new Map<string, EntryDocument>();
  readonly #toRemove = new Map<string, ResourceKey>();
  #mesh: Mesh | null = null;
  #isFlushing = false;
  #isClosed = false;
  #retryTimer: Timer | null = null;
  #startupTimer: Timer | null = null;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#client = createClient(GalleyService, options.galley);
    this.#backoff = new Backoff(RETRY, options.random);
  }

  /** The mesh as ingested; the first one starts the startup grace. */
  update(mesh: Mesh): void {
    const previous = this.#mesh;
    this.#mesh = mesh;
    if (previous === null) {
      this.#startupTimer = this.#options.clock.after(this.#options.settings.startupGraceMs, () => this.#removeAbsent());
      for (const [id, presence] of this.#presences) this.#want(id, presence);
    } else if (previous.workloadEntries !== mesh.workloadEntries) this.#heal(mesh);
  }

  connected(node: ProxyNode): void {
    const entry = entryOf(node);
    const id = formatKey(keyOf(entry));
    const known = this.#presences.get(id);
    known?.leaving?.cancel();
    const presence = { entry, streams: (known?.streams ?? 0) + 1, leaving: null, presentSince: null };
    this.#presences.set(id, presence);
    this.#toRemove.delete(id);
    if (this.#mesh !== null) this.#want(id, presence);
  }

  disconnected(node: ProxyNode): void {
    if (this.#isClosed) return;
    const id = formatKey(keyOf(entryOf(node)));
    const presence = this.#presences.get(id);
    if (presence === undefined) return;
    presence.streams -= 1;
    if (presence.streams > 0) return;
    presence.leaving = this.#options.clock.after(this.#options.settings.graceMs, () => {
      this.#presences.delete(id);
      this.#toWrite.delete(id);
      this.#toRemove.set(id, keyOf(presence.entry));
      this.#flushSoon();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    this.#startupTimer?.cancel();
    for (const presence of this.#presences.values()) presence.leaving?.cancel();
  }

  #want(id: string, presence: Presence): void {
    const existing = this.#mesh?.workloadEntries.find((candidate) => formatKey(candidate.key) === id);
    if (existing !== undefined && isSameEntry(presence.entry, existing)) {
      presence.presentSince = this.#mesh?.version ?? null;
      return;
    }
    presence.presentSince = null;
    this.#toWrite.set(id, presence.entry);
    this.#flushSoon();
  }

  /** What pilot wrote and the mesh no longer says is written again while the proxy is connected. */
  #heal(mesh: Mesh): void {
    const existing = new Map(mesh.workloadEntries.map((entry) => [formatKey(entry.key), entry]));
    for (const [id, presence] of this.#presences) {
      if (presence.presentSince === null || mesh.version < presence.presentSince || presence.streams === 0) continue;
      const found = existing.get(id);
      if (found !== undefined && isSameEntry(presence.entry, found)) continue;
      this.#options.logger.warn(
        `somebody else ${found === undefined ? 'removed' : 'changed'} ${id}: it is written again`,
      );
      this.#want(id, presence);
    }
  }

  /** The mesh may be ahead of the answer to a write already. */
  #written(id: string, entry: EntryDocument, version: number): void {
    const presence = this.#presences.get(id);
    if (presence?.entry !== entry) return;
    presence.presentSince = version;
    if (this.#mesh !== null && this.#mesh.version > version) this.#heal(this.#mesh);
  }

  #removeAbsent(): void {
    for (const { key, annotations } of this.#mesh?.workloadEntries ?? []) {
      const id = formatKey(key);
      if (annotations[AUTOMATIC_ANNOTATION] !== undefined && !this.#presences.has(id)) this.#toRemove.set(id, key);
    }
    this.#flushSoon();
  }

  /** Proxies that connect together are written together: one version for all of them. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#retryTimer !== null || this.#isClosed) return;
    this.#isFlushing = true;
    setImmediate(() => {
      void this.#flush().then((waitMs) => {
        this.#isFlushing = false;
        if (waitMs !== null && !this.#isClosed) {
          this.#retryTimer = this.#options.clock.after(waitMs, () => {
            this.#retryTimer = null;
            this.#flushSoon();
          });
        } else if (this.#toWrite.size > 0 || this.#toRemove.size > 0) this.#flushSoon();
      });
    });
  }

  /** Resolves with the time to wait before trying again, `null` when all was done. */
  async #flush(): Promise<number | null> {
    if (this.#isClosed) return null;
    const writes = [...this.#toWrite];
    const removals = [...this.#toRemove];
    try {
      if (writes.length > 0) {
        const documents = writes.map(([, entry]) => ({ source: SOURCE, yaml: JSON.stringify(entry) }));
        const { version } = await this.#client.apply({ documents });
        // What was asked for meanwhile stays.
        for (const [id, entry] of writes) if (this.#toWrite.get(id) === entry) this.#toWrite.delete(id);
        for (const [id, entry] of writes) this.#written(id, entry, Number(version));
      }
      if (removals.length > 0) {
        // The proxies are gone, which galley cannot know.
        await this.#client.delete({ keys: removals.map(([, key]) => key), ignoreMissing: true, force: true });
        for (const [id, key] of removals) if (this.#toRemove.get(id) === key) this.#toRemove.delete(id);
      }
      this.#backoff.reset();
      return null;
    } catch (error) {
      return this.#failed(error, writes);
    }
  }

  #failed(error: unknown, writes: readonly (readonly [string, EntryDocument])[]): number | null {
    const { logger } = this.#options;
    if (ConnectError.from(error).code === Code.InvalidArgument) {
      // Trying again would say the same. Another batch must not suffer for one bad name.
      const names = writes.map(([, entry]) => `${entry.metadata.namespace}/${entry.metadata.name}`).join(', ');
      logger.error(`galley refused the entries of ${names}`, { error: FlotillaError.from(error) });
      for (const [id] of writes) this.#toWrite.delete(id);
      if (writes.length > 1) for (const write of writes) void this.#writeAlone(write);
      return null;
    }
    const waitMs = this.#backoff.nextMs();
    logger.warn('workload entries could not be written', { error: FlotillaError.from(error), waitMs });
    return waitMs;
  }

  async #writeAlone([id, entry]: readonly [string, EntryDocument]): Promise<void> {
    try {
      const { version } = await this.#client.apply({ documents: [{ source: SOURCE, yaml: JSON.stringify(entry) }] });
      this.#written(id, entry, Number(version));
    } catch (error) {
      const { namespace, name } = entry.metadata;
      this.#options.logger.error(`WorkloadEntry ${namespace}/${name} was not written`, {
        error: FlotillaError.from(error),
      });
    }
  }
}

function keyOf(entry: EntryDocument): ResourceKey {
  const { namespace, name } = entry.metadata;
  return { group: 'networking.istio.io', kind: 'WorkloadEntry', namespace, name };
}
