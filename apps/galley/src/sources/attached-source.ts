import { describeKey, FAULT_CODES, formatFinding, formatKey } from '@flotilla/model';
import type { Finding, Origin, ResourceKey } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import type { Clock } from '@flotilla/runtime';
import type { ResourceContent } from '../decode/candidate.ts';
import type { ConfigWriter } from '../write/config-writer.ts';
import { overridden, planSync } from './plan-sync.ts';
import type { ConfigSource } from './source.ts';

export interface AttachOptions {
  readonly writer: ConfigWriter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A source with which the set is kept in step. */
export interface AttachedSource {
  /** What is wrong with it as it was last read: that it cannot be read, too. */
  findings(): readonly Finding[];
  /** Documents that mean nothing to a mesh. */
  ignored(): readonly string[];
  /** Where a resource stands in it, as it was last taken in; `null` when it does not. */
  originOf(key: ResourceKey): Origin | null;
  /** Reads it now and resolves when what it asks for is committed. Also done whenever it says that it changed. */
  rescan(): Promise<void>;
  /** Ends watching, and a scan under way unless it commits already; waits for it. Idempotent. */
  close(): Promise<void>;
}

// How many of the resources that go are named in the log.
const MAX_NAMED = 20;

/**
 * Keeps the set in step with a source. Resolves when what it asks for is committed; throws `invalid` when it cannot be
 * read at all. Later faults keep what was last good, and are told by `findings`.
 */
export async function attachSource(source: ConfigSource, options: AttachOptions): Promise<AttachedSource> {
  const attached = new Attachment(source, options);
  try {
    await attached.scan();
  } catch (error) {
    // The store went away: whoever starts galley waits for it.
    if (FlotillaError.from(error).code === 'unavailable') throw error;
    const reason = FlotillaError.from(error).message;
    throw new FlotillaError('invalid', `cannot read the configuration ${source.kind} ${source.place}: ${reason}`, {
      cause: error,
      hint: source.hint,
    });
  }
  attached.watch();
  return attached;
}

class Attachment implements AttachedSource {
  readonly #source: ConfigSource;
  readonly #options: AttachOptions;
  /** Each resource as its document stood when it was last taken in. */
  readonly #seen = new Map<string, ResourceContent>();
  #findings: readonly Finding[] = [];
  #ignored: readonly string[] = [];
  #scanning: Promise<void> = Promise.resolve();
  /** The scan that has not begun yet. */
  #next: Promise<void> | null = null;
  #stopWatching: () => void = () => undefined;
  readonly #closing = new AbortController();

  constructor(source: ConfigSource, options: AttachOptions) {
    this.#source = source;
    this.#options = options;
  }

  findings(): readonly Finding[] {
    return this.#findings;
  }

  ignored(): readonly string[] {
    return this.#ignored;
  }

  originOf(key: ResourceKey): Origin | null {
    return this.#seen.get(formatKey(key))?.origin ?? null;
  }

  /**
   * One scan after another: a later one must not be overtaken by the outcome of an earlier one. Whoever asks while one
   * waits for its turn has that one, which will read what there is then.
   */
  scan(): Promise<void> {
    if (this.#next !== null) return this.#next;
    const next = this.#scanning.then(() => {
      this.#next = null;
      return this.#closing.signal.aborted ? undefined : this.#scan();
    });
    this.#next = next;
    this.#scanning = next.catch(() => undefined);
    return next;
  }

  async rescan(): Promise<void> {
    try {
      await this.scan();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // The source went away, or the store refuses: all stays as it was.
      const { message } = FlotillaError.from(error);
      const origin = { source: this.#source.place, line: 0, column: 0 };
      const hint = 'What was read of it before stays in force.';
      const fault = { severity: 'error', code: FAULT_CODES.unreadable, resource: null, field: '', hint } as const;
      // Told once: it is tried again with every look at the source.
      this.#tell([{ ...fault, origin, message: `the ${this.#source.kind} cannot be taken in: ${message}` }]);
    }
  }

  watch(): void {
    this.#stopWatching = this.#source.watch(() => void this.rescan());
  }

  async close(): Promise<void> {
    this.#stopWatching();
    this.#closing.abort();
    await this.#scanning;
  }

  /** Logs each finding once, when it comes up: nobody asked for this change, so nobody waits for an answer. */
  #tell(findings: readonly Finding[]): void {
    const { logger } = this.#options;
    const known = new Set(this.#findings.map((finding) => formatFinding(finding)));
    for (const finding of findings) {
      const text = formatFinding(finding);
      if (known.has(text)) continue;
      if (finding.severity === 'error') logger.error(text);
      else logger.warn(text);
    }
    this.#findings = findings;
  }

  async #scan(): Promise<void> {
    const { writer, clock, logger } = this.#options;
    const { kind, place, owner } = this.#source;
    const desired = await this.#source.read(this.#closing.signal);
    const outcome = await writer.write((set, version) => {
      const plan = planSync(desired, this.#seen, set, { owner, version, nowMs: clock.now() });
      return { changes: plan.changes, result: (written) => ({ ...plan, written }) };
    });
    for (const key of this.#seen.keys()) if (!desired.candidates.has(key)) this.#seen.delete(key);
    for (const [key, { content }] of desired.candidates) if (outcome.accepted.has(key)) this.#seen.set(key, content);
    this.#tell([...desired.findings, ...outcome.findings]);
    this.#ignored = desired.ignored;
    const removed = outcome.changes.flatMap((change) => (change.type === 'delete' ? [describeKey(change.key)] : []));
    if (removed.length > 0) {
      logger.warn(`resources were removed: the ${kind} names them no more`, {
        [kind]: place,
        count: removed.length,
        removed: removed.slice(0, MAX_NAMED),
      });
    }
    if (outcome.changes.length > 0) {
      logger.info(`configuration ${kind} taken in`, {
        [kind]: place,
        version: outcome.written,
        changed: outcome.changes.length,
        overridden: overridden(desired, writer.set, owner),
      });
    }
  }
}
