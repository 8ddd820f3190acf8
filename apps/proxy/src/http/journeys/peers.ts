import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createRequestParser, type RequestHead } from '@flotilla/http-codec';

/** A request as an upstream of a test saw it. */
export interface SeenRequest {
  readonly head: RequestHead;
  readonly body: Buffer;
  readonly socket: Socket;
  /** Number of the connection that it came by, from 1. */
  readonly connection: number;
}

/** A server on a free port of loopback that reads requests and leaves the answer to the test. */
export interface Upstream {
  readonly port: number;
  readonly seen: SeenRequest[];
  readonly connections: Set<Socket>;
  close(): Promise<void>;
}

export type Script = (request: SeenRequest, index: number) => void;

export const ok: Script = ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello');

export async function openUpstream(script: Script = ok): Promise<Upstream> {
  const seen: SeenRequest[] = [];
  const connections = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    const connection = ++count;
    connections.add(socket);
    socket.on('close', () => connections.delete(socket)).on('error', () => undefined);
    let head: RequestHead | null = null;
    let chunks: Buffer[] = [];
    const parser = createRequestParser({
      onHead: (received) => void (head = received),
      onData: (chunk) => void chunks.push(chunk),
      onEnd() {
        if (head === null) return;
        const request = { head, body: Buffer.concat(chunks), socket, connection };
        chunks = [];
        seen.push(request);
        if (head.upgrade === null) parser.next();
        else socket.removeAllListeners('data');
        script(request, seen.length - 1);
      },
      onError: () => socket.destroy(),
    });
    socket.on('data', (chunk: Buffer) => parser.feed(chunk));
  });
  await listening(server);
  return {
    port: portOf(server),
    seen,
    connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections) socket.destroy();
      }),
  };
}

/** A port of loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await listening(server);
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port; // a TCP server that listens
}

/** A client that sends bytes and waits for some. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  isEnded = false;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.#wake();
    });
    const ended = () => {
      this.isEnded = true;
      this.#wake();
    };
    socket.on('end', ended).on('close', ended).on('error', ended);
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** What was received once it contains all of this, or once the server ended. */
  async until(predicate: string | RegExp | ((text: string) => boolean)): Promise<string> {
    const isThere = () =>
      typeof predicate === 'string'
        ? this.received.includes(predicate)
        : predicate instanceof RegExp
          ? predicate.test(this.received)
          : predicate(this.received);
    while (!isThere() && !this.isEnded) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.received;
  }

  async ended(): Promise<string> {
    while (!this.isEnded) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.received;
  }

  /** Forgets what was received. */
  clear(): this {
    this.received = '';
    return this;
  }

  close(): void {
    this.socket.destroy();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** A whole response: head by name, and body. */
export interface SeenResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends one request on a connection of its own and reads the response to its end (the proxy is asked to close). */
export async function request(port: number, line: string, fields: Readonly<Record<string, string>> = {}, body = '') {
  const client = await RawClient.connect(port);
  const all = {
    host: 'example',
    connection: 'close',
    ...(body === '' ? {} : { 'content-length': body.length }),
    ...fields,
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  client.send(`${line} HTTP/1.1\r\n${head.join('')}\r\n${body}`);
  const text = await client.ended();
  client.close();
  return parseResponse(text);
}

export function parseResponse(text: string): SeenResponse {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...fields] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  return { status: Number(statusLine.split(' ')[1] ?? 0), headers, body: text.slice(end + 4) };
}

/** Waits, turn by turn, until something is true. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}
