import { parentPort } from 'node:worker_threads';
import type { CheckRequest, FromWorker } from './messages.ts';

/** A worker that does what a text says: answers with its name, never ends, takes all memory, or dies. */
const say = (message: FromWorker): void => parentPort?.postMessage(message);

parentPort?.on('message', ({ documents }: CheckRequest) => {
  const [{ yaml = '' } = {}] = documents;
  const kept: unknown[] = [];
  if (yaml === 'die') throw new Error('as asked');
  while (yaml === 'never') kept.length = 0;
  while (yaml === 'memory') kept.push(new Array(100_000).fill(kept.length));
  say({ kind: 'answer', answer: { findings: [], ignored: [yaml] } });
});
say({ kind: 'ready' });
