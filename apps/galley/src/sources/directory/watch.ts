import { watchTree } from './watch-tree.ts';
import type { Logger } from '@flotilla/observe';
import type { Clock, Timer } from '@flotilla/runtime';

export interface WatchDirectoryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called some time after something changed; may be called when nothing did. */
  readonly onChange: () => void;
  readonly timing?: WatchTiming;
}

export interface WatchTiming {
  /** How long it has to be quiet after a change: editors and `git` write in several steps. */
  readonly quietMs: number;
  /** The longest that a stream of changes is waited out. */
  readonly maxDelayMs: number;
  /** How often it is looked whether the directories are still those that are watched: they may be moved or exchanged. */
  readonly lookMs: number;
  /** How often `onChange` is called regardless, for file systems that do not tell (network shares, some containers). */
  readonly pollMs: number;
}

export const DEFAULT_WATCH_TIMING: WatchTiming = { quietMs: 50, maxDelayMs: 500, lookMs: 500, pollMs: 5_000 };

/** Watches a directory and all below it. Returns the function that ends it, which is idempotent. */
export function watchDirectory(options: WatchDirectoryOptions): () => void {
  const { directory, clock, logger, onChange } = options;
  const { quietMs, maxDelayMs, lookMs, pollMs } = options.timing ?? DEFAULT_WATCH_TIMING;
  let settle: Timer | null = null;
  let firstEventMs: number | null = null;
  let poll: Timer | null = null;
  let isStopped = false;

  const fire = (): void => {
    settle?.cancel();
    settle = null;
    firstEventMs = null;
    poll?.cancel();
    poll = clock.after(pollMs, fire);
    onChange();
  };
  const hear = (): void => {
    if (isStopped) return;
    firstEventMs ??= clock.monotonicMs();
    settle?.cancel();
    const leftMs = firstEventMs + maxDelayMs - clock.monotonicMs();
    settle = clock.after(Math.max(0, Math.min(quietMs, leftMs)), fire);
  };

  const tree = watchTree({ directory, logger, onEvent: hear });
  let look: Timer | null = null;
  const lookAgain = (): void => {
    look = clock.after(lookMs, lookAgain);
    if (tree.hasMoved()) hear();
  };
  poll = clock.after(pollMs, fire);
  look = clock.after(lookMs, lookAgain);
  return () => {
    isStopped = true;
    tree.close();
    for (const timer of [settle, poll, look]) timer?.cancel();
  };
}
