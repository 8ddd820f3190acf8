import { fromBinary } from '@bufbuild/protobuf';
import { createLogger } from '@flotilla/observe';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { ownStandardStreams } from '@flotilla/sockets/standard-streams';
import { type RunningProxy, startProxy } from '../stack.ts';
import { type FromWorker, packMetric, type ToWorker } from './worker-messages.ts';

// One of several processes that share the ports. The first process tells it what to do, and it ends with that one.

ownStandardStreams();
let proxy: RunningProxy | null = null;

function send(message: FromWorker): void {
  // When the first process is gone, `disconnect` follows.
  process.send?.(message, undefined, undefined, () => undefined);
}

async function start(message: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
  proxy = await startProxy({
    bootstrap: fromBinary(BootstrapSchema, Buffer.from(message.bootstrap, 'base64')),
    logger: await createLogger({ name: 'proxy', format: 'json', level: message.logLevel }),
    clock: systemClock,
    random: Math.random,
    hasAdmin: false,
    reusePort: true,
    concurrency: message.concurrency,
  });
  await proxy.ready;
  send({ kind: 'ready' });
}

function receive(message: ToWorker): void {
  switch (message.kind) {
    case 'start':
      start(message).catch((error: unknown) => send({ kind: 'failed', message: FlotillaError.from(error).message }));
      return;
    case 'stats':
      send({ kind: 'stats', id: message.id, metrics: (proxy?.stats() ?? []).map(packMetric) });
      return;
    case 'drain':
      proxy?.drain();
      return;
    case 'stop':
      void (proxy?.stop({ drainMs: message.drainMs }) ?? Promise.resolve()).finally(() => process.exit(0));
  }
}

// The channel carries what workers.ts sends, which is ToWorker.
process.on('message', (message) => receive(message as ToWorker));
process.on('disconnect', () => process.exit(0));
// The first process decides when to stop; a signal to the whole group must not overtake it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
