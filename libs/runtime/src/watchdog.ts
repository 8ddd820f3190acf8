import type { Clock, Timer } from './clock.ts';

/** A process that is asked from time to time whether it answers. */
export interface WatchedProcess {
  readonly name: string;
  /** Which run of it this is, such as its pid; null while it does not run. */
  readonly run: () => number | null;
  /** The present run has answered already; one that starts is given more time. */
  readonly hasStarted: boolean;
  /** Whether it answers, whatever it says. Settles within `TRY_EVERY_MS` or so, and never rejects. */
  readonly answers: () => Promise<boolean>;
  /** It lives and has not answered for so long: ends it by force, since a stopped process hears no other signal. */
  readonly onSilent: (silentMs: number) => void;
}

export interface Watchdog {
  /** Returns the function that ends it. */
  watch(watched: WatchedProcess): () => void;
  close(): void;
}

export const TRY_EVERY_MS = 3_000;
/** Tries in a row without an answer. */
const SILENT_TRIES = 5;
/** Before a run has answered once: it starts, which takes its time on a busy machine. */
const STARTING_TRIES = 20;
/** This process itself stood still: what it did not hear meanwhile means nothing. */
const OWN_STALL_MS = 1_000;
/** One at a time: if many are silent together, something else is wrong, which killing all would make worse. */
const BETWEEN_MS = 10_000;

interface Watched {
  readonly process: WatchedProcess;
  run: number | null;
  silentTries: number;
  hasAnswered: boolean;
  isAsking: boolean;
}

/**
 * Finds processes that live but do not answer: stopped, frozen, or in an endless loop. What happens while this process
 * was late itself (stopped, suspended, debugged, starved) is nobody else's fault and not counted.
 *
 * @param onOwnStall Told how late this process was.
 */
export function openWatchdog(clock: Clock, onOwnStall: (lateMs: number) => void): Watchdog {
  const all = new Set<Watched>();
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let dueMs = clock.monotonicMs() + TRY_EVERY_MS;
  let timer: Timer = clock.after(TRY_EVERY_MS, round);

  function round(): void {
    const nowMs = clock.monotonicMs();
    const lateMs = nowMs - dueMs;
    if (lateMs > OWN_STALL_MS) {
      for (const each of all) each.silentTries = 0;
      onOwnStall(lateMs);
    }
    for (const each of all) judge(each, nowMs);
    for (const each of all) void ask(each);
    dueMs = nowMs + TRY_EVERY_MS;
    timer = clock.after(TRY_EVERY_MS, round);
  }

  function judge(each: Watched, nowMs: number): void {
    const run = each.process.run();
    if (run !== each.run) {
      each.run = run;
      each.silentTries = 0;
      each.hasAnswered = false;
    }
    const tries = each.hasAnswered ? SILENT_TRIES : STARTING_TRIES;
    if (run === null || each.silentTries < tries || nowMs < notBeforeMs) return;
    notBeforeMs = nowMs + BETWEEN_MS;
    each.process.onSilent(each.silentTries * TRY_EVERY_MS);
    each.silentTries = 0;
  }

  async function ask(each: Watched): Promise<void> {
    const { run } = each;
    if (run === null || each.isAsking) return;
    each.isAsking = true;
    const hasAnswered = await each.process.answers();
    each.isAsking = false;
    if (each.run !== run) return;
    if (hasAnswered) {
      each.silentTries = 0;
      each.hasAnswered = true;
    } else each.silentTries += 1;
  }

  return {
    watch(process) {
      const each: Watched = {
        process,
        run: process.run(),
        silentTries: 0,
        hasAnswered: process.hasStarted,
        isAsking: false,
      };
      all.add(each);
      return () => void all.delete(each);
    },
    close() {
      timer.cancel();
      all.clear();
    },
  };
}
