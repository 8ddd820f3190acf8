import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { OnError } from './errors.ts';

/** Starts a thread, as `new Worker`. The owner hears why it ended by a fault, such as too much memory. */
export function startWorker(program: string, options: WorkerOptions, onError: OnError): Worker {
  return new Worker(program, options).on('error', (thrown: unknown) =>
    onError(thrown instanceof Error ? thrown : new Error(String(thrown))),
  );
}
