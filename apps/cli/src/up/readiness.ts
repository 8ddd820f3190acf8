import { get } from 'node:http';
import { connect } from 'node:net';
import { FlotillaError } from '@flotilla/runtime';
import type { MeshProcesses } from './processes.ts';

const POLL_MS = 15;
const DEADLINE_MS = 30_000;
const LOOPBACK = '127.0.0.1';

/** Polls Envoy's `/ready` until it says 200. Works for our proxy and for stock Envoy alike. */
export function waitUntilReady(adminPort: number, subject: string, processes: MeshProcesses): Promise<void> {
  return poll(() => answersReady(adminPort), `${subject} was not ready`, processes);
}

/** Polls until something accepts TCP connections. */
export function waitUntilListening(port: number, subject: string, processes: MeshProcesses): Promise<void> {
  return poll(() => accepts(port), `${subject} does not listen on port ${port}`, processes);
}

async function poll(probe: () => Promise<boolean>, complaint: string, processes: MeshProcesses): Promise<void> {
  const { clock, directories } = processes;
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
  while (!(await probe())) {
    if (clock.monotonicMs() > deadlineMs) {
      throw new FlotillaError('unavailable', `${complaint} within ${DEADLINE_MS / 1000} s`, {
        hint: `Logs are in ${directories.logs}.`,
      });
    }
    await new Promise<void>((resolve) => clock.after(POLL_MS, resolve, { keepAlive: true }));
  }
}

function answersReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: LOOPBACK, port, path: '/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
