import type { Checker, CheckRight, Documents } from './checking.ts';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, limit } from '@flotilla/runtime';
import type { TextDocument } from '../decode/decode-documents.ts';
import { CheckLane } from './lane.ts';
import { perform } from './perform.ts';
import { restoreDocuments } from './restore.ts';

const MAX_INLINE = limit({
  name: 'galley.own-documents-bytes',
  what: 'documents of a part of the control plane, such as a registration of pilot, that are read at once',
  default: 64 * 1024,
  unit: 'bytes',
  past: 'read in the worker, as those of others',
});
const MAX_TEXTS = limit({
  name: 'galley.texts',
  what: 'texts of one call',
  default: 20_000,
  unit: 'count',
  past: 'refused (resource_exhausted)',
});
const WRITERS_QUEUE = limit({
  name: 'galley.writers-queue',
  what: 'calls of those who may write that wait to be checked',
  default: 256,
  unit: 'count',
  past: 'refused (resource_exhausted)',
});
const WRITERS_BUDGET_MS = limit({
  name: 'galley.writers-check-time',
  what: 'time for checking the documents of one call of those who may write',
  default: 60_000,
  unit: 'ms',
  past: 'ended, refused (resource_exhausted); nothing is changed',
});
const WRITERS_MEMORY_MIB = limit({
  name: 'galley.writers-check-memory',
  what: 'heap of the worker that checks documents, in MiB',
  default: 1_024,
  unit: 'count',
  past: 'ended, refused (resource_exhausted); nothing is changed',
});
const FILE_BUDGET_MS = limit({
  name: 'galley.file-check-time',
  what: 'time for checking one file of a watched directory',
  default: 60_000,
  unit: 'ms',
  past: 'ended; the file is left out with a finding, its last good version stays',
});
const FILE_MEMORY_MIB = limit({
  name: 'galley.file-check-memory',
  what: 'heap of the worker that checks files of watched directories, in MiB',
  default: 512,
  unit: 'count',
  past: 'ended; the file is left out with a finding, its last good version stays',
});
const STRANGERS_BYTES = limit({
  name: 'galley.strangers-bytes',
  what: 'documents of one Validate of a stranger',
  default: 1024 * 1024,
  unit: 'bytes',
  past: 'refused (resource_exhausted)',
});
const STRANGERS_QUEUE = limit({
  name: 'galley.strangers-queue',
  what: 'calls of strangers that wait to be checked, one being checked at a time',
  default: 8,
  unit: 'count',
  past: 'refused (resource_exhausted)',
});
const STRANGERS_BUDGET_MS = limit({
  name: 'galley.strangers-check-time',
  what: 'time for checking the documents of one call of a stranger',
  default: 5_000,
  unit: 'ms',
  past: 'ended, refused (resource_exhausted)',
});
const STRANGERS_MEMORY_MIB = limit({
  name: 'galley.strangers-check-memory',
  what: 'heap of the worker that checks documents of strangers, in MiB',
  default: 256,
  unit: 'count',
  past: 'ended, refused (resource_exhausted)',
});
const STRANGERS_SHARE_MS = limit({
  name: 'galley.strangers-share',
  what: 'time that all checking for strangers may take in a second, in the long run',
  default: 250,
  unit: 'ms',
  past: 'refused (resource_exhausted) until it is regained',
});
const STRANGERS_BURST_MS = limit({
  name: 'galley.strangers-burst',
  what: 'time that checking for strangers may take at once, before its share of a second counts',
  default: 5_000,
  unit: 'ms',
  past: 'refused (resource_exhausted) until it is regained',
});
const IDLE_MS = 60_000;

export interface CheckerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

export function openChecker({ clock, logger }: CheckerOptions): Checker {
  const writers = new CheckLane({
    subject: 'documents',
    maxWaiting: WRITERS_QUEUE,
    budgetMs: WRITERS_BUDGET_MS,
    maxMemoryMib: WRITERS_MEMORY_MIB,
    idleMs: IDLE_MS,
    clock,
    logger,
  });
  const files = new CheckLane({
    subject: 'file',
    // Each directory asks for one file after another.
    maxWaiting: Number.POSITIVE_INFINITY,
    budgetMs: FILE_BUDGET_MS,
    maxMemoryMib: FILE_MEMORY_MIB,
    idleMs: IDLE_MS,
    clock,
    logger,
  });
  const share = new TimeShare(clock);
  const strangers = new CheckLane({
    subject: 'documents of callers without credentials',
    maxWaiting: STRANGERS_QUEUE,
    budgetMs: STRANGERS_BUDGET_MS,
    maxMemoryMib: STRANGERS_MEMORY_MIB,
    idleMs: IDLE_MS,
    onWorked: (ms) => share.spend(ms),
    clock,
    logger,
  });
  return {
    async decode(documents, right, signal) {
      const request = { kind: 'decode', ...documents } as const;
      return restoreDocuments(await (isInline(documents, right) ? perform(request) : writers.run(request, signal)));
    },
    async decodeFile(file, defaultNamespace, signal) {
      return restoreDocuments(await files.run({ kind: 'file', documents: [file], defaultNamespace }, signal));
    },
    async keys(documents, right, signal) {
      const request = { kind: 'keys', ...documents } as const;
      return isInline(documents, right) ? perform(request) : writers.run(request, signal);
    },
    async validate(documents, right, signal) {
      const request = { kind: 'validate', ...documents } as const;
      if (isInline(documents, right)) return perform(request);
      if (right !== 'stranger') return writers.run(request, signal);
      assertSmall(documents);
      share.assertLeft();
      return strangers.run(request, signal);
    },
    async close() {
      await Promise.all([writers, files, strangers].map((lane) => lane.close()));
    },
  };
}

function isInline({ documents }: Documents, right: CheckRight): boolean {
  if (documents.length > MAX_TEXTS) {
    throw new FlotillaError('exhausted', `the call has ${documents.length} texts, more than the ${MAX_TEXTS} allowed`, {
      hint: 'A text may hold many documents.',
    });
  }
  return right === 'own' && sizeOf(documents) <= MAX_INLINE;
}

function assertSmall({ documents }: Documents): void {
  const size = sizeOf(documents);
  if (size <= STRANGERS_BYTES) return;
  throw new FlotillaError(
    'exhausted',
    `the documents have ${size} bytes, more than the ${STRANGERS_BYTES} that are checked for callers without credentials`,
    { hint: 'Show the credentials of an administrator, or check them with flotilla validate, which needs no mesh.' },
  );
}

/** In UTF-16 units, which is what is at hand; no text has fewer bytes. */
function sizeOf(documents: readonly TextDocument[]): number {
  return documents.reduce((sum, { yaml, source }) => sum + yaml.length + source.length, 0);
}

/** Strangers together may keep a worker busy for a part of the time only. */
class TimeShare {
  readonly #clock: Clock;
  #levelMs = STRANGERS_BURST_MS;
  #atMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  assertLeft(): void {
    this.#regain();
    if (this.#levelMs > 0) return;
    throw new FlotillaError('exhausted', 'callers without credentials had as much checked as they may for now', {
      hint: 'Try again later, show credentials, or use flotilla validate, which needs no mesh.',
    });
  }

  spend(ms: number): void {
    this.#regain();
    this.#levelMs -= ms;
  }

  #regain(): void {
    const nowMs = this.#clock.monotonicMs();
    const gainedMs = ((nowMs - this.#atMs) / 1000) * STRANGERS_SHARE_MS;
    this.#levelMs = Math.min(STRANGERS_BURST_MS, this.#levelMs + gainedMs);
    this.#atMs = nowMs;
  }
}
