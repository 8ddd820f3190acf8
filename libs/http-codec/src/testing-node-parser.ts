import { createServer } from 'node:http';
import { Duplex } from 'node:stream';

/** One request as `node:http` (llhttp) read it. */
export interface NodeRequest {
  readonly method: string;
  readonly target: string;
  /** Names lowered, as a flat list. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** Gives bytes to Node's own HTTP server without a network; null when it refuses or waits for more. For tests. */
export async function parseWithNode(input: Buffer): Promise<NodeRequest | null> {
  const server = createServer({ keepAliveTimeout: 0, maxHeaderSize: 65_536 });
  return new Promise((resolve) => {
    const done = (result: NodeRequest | null) => {
      resolve(result);
      socket.destroy();
    };
    server.on('request', (request) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => done(null));
      request.on('end', () =>
        done({
          method: request.method ?? '',
          target: request.url ?? '',
          fields: request.rawHeaders.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text)),
          body: Buffer.concat(chunks).toString('latin1'),
        }),
      );
    });
    server.on('clientError', () => done(null));
    server.on('upgrade', () => done(null));
    server.on('checkContinue', () => done(null));
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, callback) {
        callback();
      },
    });
    server.emit('connection', socket);
    socket.push(input);
    // The end of input: whatever is not whole by now never will be.
    socket.push(null);
    socket.on('close', () => resolve(null));
  });
}
