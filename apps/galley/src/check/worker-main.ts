import { parentPort } from 'node:worker_threads';
import { FlotillaError } from '@flotilla/runtime';
import type { CheckRequest, FromWorker } from './messages.ts';
import { perform } from './perform.ts';

const port = parentPort;
if (port === null) throw new FlotillaError('usage', 'this program is a worker thread of galley');
const say = (message: FromWorker): void => port.postMessage(message);

port.on('message', (request: CheckRequest) => {
  try {
    say({ kind: 'answer', answer: perform(request) });
  } catch (error) {
    say({ kind: 'failed', message: FlotillaError.from(error).message });
  }
});
say({ kind: 'ready' });
