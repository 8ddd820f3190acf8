import { Agent, request as httpRequest } from 'node:http';
import http2, { type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { BAD_MANNERS } from './upstreams.ts';

/** What became of the requests that should succeed. */
export interface Outcomes {
  done: number;
  /** How often one was sent again because its connection, used before, was closed under it. */
  repeated: number;
  /** By what went wrong. */
  readonly failures: Map<string, number>;
  /** Milliseconds of small requests since they were last taken. */
  times: number[];
}

const UPLOAD = Buffer.alloc(64 * 1024, 'u');

/** Loads that go on until the signal. */
export function startLoads(port: number, outcomes: Outcomes, stop: AbortSignal): Promise<unknown> {
  const loops: Promise<void>[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const alone = new Agent({ keepAlive: false });
  const good = (perSecond: number, send: () => Promise<void>) => {
    loops.push(paced(perSecond, stop, () => counted(outcomes, send)));
  };
  good(200, () => timed(outcomes, () => get(outcomes, port, '/1', 1024, agent)));
  good(20, () => get(outcomes, port, '/16', 16 * 1024, agent));
  good(2, () => get(outcomes, port, '/1024', 1024 * 1024, agent));
  good(10, () => upload(outcomes, port, agent));
  good(20, () => get(outcomes, port, '/1', 1024, alone));
  const sessions = new Sessions(port);
  good(50, () => timed(outcomes, () => sessions.get('/1', 1024)));
  stop.addEventListener('abort', () => {
    agent.destroy();
    alone.destroy();
    sessions.close();
  });
  // These may fail; they must not disturb the others.
  for (const manner of BAD_MANNERS) {
    loops.push(paced(4, stop, () => get(outcomes, port, `/bad/${manner}`, 0, alone).catch(() => undefined)));
  }
  loops.push(paced(2, stop, () => headerBomb(port)));
  return Promise.all(loops);
}

/** Clients that ask for a MiB and do not read it. */
export function openSlowReaders(port: number, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /1024 HTTP/1.1\r\nhost: soak\r\n\r\n'));
    socket.pause().on('error', () => undefined);
    return socket;
  });
}

/** Clients that send a head, a byte a second. */
export function openSlowWriters(port: number, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n'));
    const timer = setInterval(() => socket.write('a'), 1_000);
    socket.on('error', () => undefined).on('close', () => clearInterval(timer));
    socket.resume();
    return socket;
  });
}

async function paced(perSecond: number, stop: AbortSignal, send: () => Promise<unknown>): Promise<void> {
  const running = new Set<Promise<unknown>>();
  while (!stop.aborted) {
    // At most as many as a second brings: a proxy that stands still is not buried.
    if (running.size < perSecond + 1) {
      const one: Promise<unknown> = send().finally(() => running.delete(one));
      running.add(one);
    }
    await delay(1_000 / perSecond); // the pace is what is wanted
  }
  await Promise.race([Promise.all(running), delay(2_000)]);
}

async function counted(outcomes: Outcomes, send: () => Promise<void>): Promise<void> {
  try {
    await send();
    outcomes.done += 1;
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    outcomes.failures.set(what, (outcomes.failures.get(what) ?? 0) + 1);
  }
}

async function timed(outcomes: Outcomes, send: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  await send();
  outcomes.times.push(performance.now() - startMs);
}

function get(outcomes: Outcomes, port: number, path: string, bytes: number, agent: Agent): Promise<void> {
  return exchange(outcomes, port, { path, agent, method: 'GET' }, null, bytes);
}

function upload(outcomes: Outcomes, port: number, agent: Agent): Promise<void> {
  return exchange(outcomes, port, { path: '/', agent, method: 'POST' }, UPLOAD, UPLOAD.length);
}

function exchange(
  outcomes: Outcomes,
  port: number,
  options: { readonly path: string; readonly agent: Agent; readonly method: string },
  body: Buffer | null,
  bytes: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, ...options }, (response) => {
      let read = 0;
      response.on('data', (chunk: Buffer) => (read += chunk.length));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200) reject(new Error(`${options.path}: status ${response.statusCode}`));
        else if (read !== bytes) reject(new Error(`${options.path}: ${read} bytes of ${bytes}`));
        else resolve();
      });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      // An idle connection may be closed as a request sets out on it; clients send it again (RFC 9112, section 9.3.1).
      if (request.reusedSocket && error.code === 'ECONNRESET') {
        outcomes.repeated += 1;
        exchange(outcomes, port, options, body, bytes).then(resolve, reject);
      } else reject(new Error(`${options.path}: ${error.code ?? error.message}`));
    });
    request.end(body ?? undefined);
  });
}

/** HTTP/2 connections, a new one whenever the last is ending. */
class Sessions {
  readonly #port: number;
  #session: ClientHttp2Session | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  get(path: string, bytes: number): Promise<void> {
    if (this.#session === null || this.#session.closed || this.#session.destroyed) {
      const session = http2.connect(`http://127.0.0.1:${this.#port}`);
      session.on('error', () => undefined).on('goaway', () => session.close());
      this.#session = session;
    }
    const stream = this.#session.request({ ':path': path });
    return new Promise((resolve, reject) => {
      let read = 0;
      let status = 0;
      stream.on('response', (headers) => (status = Number(headers[':status'])));
      stream.on('data', (chunk: Buffer) => (read += chunk.length));
      stream.on('error', (error) => reject(new Error(`HTTP/2 ${path}: ${error.message}`)));
      stream.on('close', () => {
        if (status === 200 && read === bytes) resolve();
        else reject(new Error(`HTTP/2 ${path}: status ${status}, ${read} bytes`));
      });
    });
  }

  close(): void {
    this.#session?.destroy();
  }
}

function headerBomb(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET / HTTP/1.1\r\nhost: soak\r\n${'x: y\r\n'.repeat(50_000)}\r\n`);
    });
    socket.on('error', () => undefined).on('close', () => resolve());
    socket.resume();
  });
}
