import { FlotillaError } from '@flotilla/runtime';
import { askHttp } from '@flotilla/sockets/http';
import { connectTcp } from '@flotilla/sockets/tcp';
import { lastWords } from './processes.ts';
import type { MeshProcesses } from './mesh-processes.ts';

const POLL_MS = 15;
const DEADLINE_MS = 30_000;
const ANSWER_WITHIN_MS = 2_000;
const LOOPBACK = '127.0.0.1';

/** Polls Envoy's `/ready` until it says 200. Works for our proxy and for stock Envoy alike. */
export function waitUntilReady(adminPort: number, name: string, processes: MeshProcesses): Promise<void> {
  return poll(() => answersReady(adminPort), name, 'was not ready', processes);
}

/** Polls until something accepts TCP connections. */
export function waitUntilListening(port: number, name: string, processes: MeshProcesses): Promise<void> {
  return poll(() => accepts(port), name, `does not listen on port ${port}`, processes);
}

/** Throws `system` with the process's last words as soon as it ends by itself, or when the time is over. */
async function poll(
  probe: () => Promise<boolean>,
  name: string,
  complaint: string,
  processes: MeshProcesses,
): Promise<void> {
  const { clock } = processes;
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
  let hasEnded = false;
  processes.all.get(name)?.onFirstExit(() => (hasEnded = true));
  while (!(await probe())) {
    const isLate = clock.monotonicMs() > deadlineMs;
    if (hasEnded || isLate) {
      const what = hasEnded ? 'ended while starting' : `${complaint} within ${DEADLINE_MS / 1000} s`;
      throw new FlotillaError('system', `${name} ${what}; it said last:\n${await lastWords(processes, name)}`);
    }
    await new Promise<void>((resolve) => clock.after(POLL_MS, resolve, { keepAlive: true }));
  }
}

async function answersReady(port: number): Promise<boolean> {
  return (await askHttp({ host: LOOPBACK, port }, '/ready', ANSWER_WITHIN_MS)) === 200;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ port, host: LOOPBACK }, () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
