import { ChildProcess, fork, type ForkOptions, spawn, type SpawnOptions } from 'node:child_process';
import type { OnError } from './errors.ts';

/** How a child process ended: by itself or a signal, or never having begun. */
export type ChildEnd =
  | { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly error: null }
  | { readonly code: null; readonly signal: null; readonly error: Error };

export interface ChildOwner {
  /** Called once, never from inside the opener: for every child, whatever kept it from starting. */
  readonly onEnd: (end: ChildEnd) => void;
  /** A signal or a message could not be sent to a running child. */
  readonly onError: OnError;
}

/**
 * Starts a program, as `spawn`. Never throws: what cannot be started ends with an `error`. Without enough descriptors a
 * child has no pipes, so that `stdin`, `stdout` and `stderr` are null or missing whatever was asked for. Errors of its
 * pipes are ends of them, which the child's own end explains.
 */
export function startChild(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  owner: ChildOwner,
): ChildProcess {
  return own(() => spawn(program, [...args], options), owner);
}

/** Starts a Node program with a channel for messages, as `fork`; otherwise as `startChild`. */
export function forkChild(
  program: string,
  args: readonly string[],
  options: ForkOptions,
  owner: ChildOwner,
): ChildProcess {
  return own(() => fork(program, [...args], options), owner);
}

function own(start: () => ChildProcess, { onEnd, onError }: ChildOwner): ChildProcess {
  let hasEnded = false;
  const end = (how: ChildEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd(how);
  };
  let child: ChildProcess;
  try {
    child = start();
  } catch (thrown) {
    // Node throws for want of memory, and emits for want of descriptors or of the program.
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    process.nextTick(() => end({ code: null, signal: null, error }));
    // Never started: it has neither a process nor pipes.
    return new ChildProcess();
  }
  child.on('error', (error) => {
    if (child.pid === undefined) end({ code: null, signal: null, error });
    else onError(error);
  });
  child.once('exit', (code, signal) => end({ code, signal, error: null }));
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.on('error', pipeEnded);
  return child;
}

function pipeEnded(): void {}
