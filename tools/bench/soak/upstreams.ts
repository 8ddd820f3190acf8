import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** Answers `/<KiB>` with a body of that size, and a POST with what it got. */
export async function startGoodUpstream(): Promise<{ port: number; close(): void }> {
  const bodies = new Map<string, Buffer>();
  const server = createHttpServer({ keepAliveTimeout: 0 }, (request, response) => {
    if (request.method === 'POST') {
      request.pipe(response);
      return;
    }
    const path = request.url ?? '/';
    const body = bodies.get(path) ?? Buffer.alloc(1024 * (Number(path.slice(1)) || 0), 'x');
    bodies.set(path, body);
    response.end(body);
  });
  return listening(server, () => server.closeAllConnections());
}

/** What a bad upstream does, by the last part of the path. */
const MANNERS: Readonly<Record<string, (socket: Socket) => void>> = {
  never: () => undefined,
  reset: (socket) => void socket.resetAndDestroy(),
  cut: (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
  early: (socket) => void socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n'),
  garbage: (socket) => void socket.end(Buffer.alloc(2_000, 0x01)),
  'header-bomb': (socket) => void socket.end(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(100_000)}\r\n`),
  trailers: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n');
    const more = (): void => {
      while (!socket.destroyed && socket.write('a: b\r\n'.repeat(1_000)));
    };
    socket.on('drain', more);
    more();
  },
};

/** Misbehaves as it is told. */
export async function startBadUpstream(): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.once('data', (chunk: Buffer) => {
      const manner = /^\S+ \/bad\/([a-z-]+)/.exec(chunk.toString('latin1'))?.[1] ?? '';
      (MANNERS[manner] ?? (() => socket.destroy()))(socket);
    });
    socket.on('end', () => socket.end());
  });
  return listening(server, () => {
    for (const socket of sockets) socket.destroy();
  });
}

export const BAD_MANNERS = Object.keys(MANNERS);

async function listening(server: Server, before: () => void): Promise<{ port: number; close(): void }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port, // a listening TCP server
    close() {
      before();
      server.close();
    },
  };
}
