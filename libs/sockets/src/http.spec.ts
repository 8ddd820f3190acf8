import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { closeFollows } from './errors.ts';
import { answersHttp, askHttp, createHttpServer } from './http.ts';
import { listen } from './tcp.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const ANSWER = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno';

async function peer(serve: (socket: Socket) => void) {
  const server = createServer((socket) => {
    cleanups.push(() => socket.destroy());
    socket.on('error', () => undefined).once('data', () => serve(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** A byte in `everyMs`: never silent for as long as a request may take, and never done in that time. */
function trickle(socket: Socket, text: string, everyMs: number): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text.slice(at, ++at)), everyMs);
  cleanups.push(() => clearInterval(timer));
}

describe('asking for a page', () => {
  it('any answer is one', async () => {
    const address = await peer((socket) => socket.write(ANSWER));
    expect([await askHttp(address, '/', 5_000), await answersHttp(address, '/', 5_000)]).toEqual([503, true]);
  });

  it.each([
    ['nothing', () => undefined],
    ['a byte now and then', (socket: Socket) => trickle(socket, ANSWER, 20)],
    ['half of it', (socket: Socket) => socket.write(ANSWER.slice(0, -1))],
  ])('from a peer that sends %s it is given up', async (_, serve) => {
    expect(await answersHttp(await peer(serve), '/', 150)).toBe(false);
  });

  it.each([
    ['garbage', (socket: Socket) => socket.write(Buffer.alloc(64, 0xff))],
    ['the end', (socket: Socket) => socket.end()],
    ['half of it and a reset', (socket: Socket) => socket.write(ANSWER.slice(0, -1), () => socket.resetAndDestroy())],
  ])('from a peer that sends %s it fails at once', async (_, serve) => {
    expect(await answersHttp(await peer(serve), '/', 60_000)).toBe(false);
  });
});

describe('a server', () => {
  it('goes on after clients that break off, and cuts off those that are silent', async () => {
    const broken: Error[] = [];
    const owner = { onError: closeFollows, onMessageError: (error: Error) => broken.push(error) };
    const server = createHttpServer({ silenceTimeoutMs: 200 }, owner, (_request, response) => {
      response.write('begun');
      response.end('done');
      // Node tells it as an error of the answer.
      response.write('after the end');
    });
    await listen(server, { port: 0, host: '127.0.0.1' });
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const [first, silent] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    for (const socket of [first, silent]) socket.on('error', () => undefined).resume();
    first.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await Promise.all([once(first, 'close'), once(silent, 'close')]);
    expect(broken).toHaveLength(1);
  });
});
