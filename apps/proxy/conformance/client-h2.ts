import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { type Client, PATIENCE_MS } from './client-connection.ts';
import type { Request } from './scenario.ts';
import { fieldsOf } from './fields-h2.ts';

/** A client of HTTP/2. Responses are noted in the order in which their requests were made. */
export class ClientH2 implements Client {
  readonly #session: ClientHttp2Session;
  readonly #fill: (text: string) => string;
  readonly #note: (text: string) => void;
  readonly #waiting: Promise<string>[] = [];
  readonly #closed: Promise<void>;
  #goaway = '';
  #last: ClientHttp2Stream | null = null;
  #isClosed = false;

  constructor(socket: Socket, fill: (text: string) => string, note: (text: string) => void) {
    this.#fill = fill;
    this.#note = note;
    this.#session = connect('http://web.test', { createConnection: () => socket });
    this.#session.on('error', () => undefined);
    this.#session.on('goaway', (code) => (this.#goaway = `[goaway ${code}]`));
    this.#closed = new Promise((resolve) => this.#session.once('close', () => resolve()));
  }

  async request(request: Request): Promise<void> {
    if (this.#session.destroyed || this.#session.closed) return this.#note(`${this.#goaway}[no connection any more]`);
    const stream = this.#open(request);
    this.#last = stream;
    this.#waiting.push(responseOf(stream));
    if (request.chunks !== null) for (const chunk of request.chunks) stream.write(this.#fill(chunk), 'latin1');
    if (request.body !== null) stream.write(this.#fill(request.body), 'latin1');
    if (request.reads || request.version !== 'open') stream.end();
    if (request.reads) await this.read(1);
  }

  send(text: string): void {
    this.#last?.write(this.#fill(text), 'latin1');
  }

  async read(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const response = this.#waiting.shift();
      this.#note(response === undefined ? '[no request]' : await patiently(response, '[nothing came]'));
    }
  }

  /** The last response once so many bytes of its body came, however it ends. */
  async readBytes(count: number): Promise<void> {
    const stream = this.#last;
    if (stream === null) return this.#note('[no request]');
    this.#waiting.pop();
    let status = '';
    let body = '';
    const whole = new Promise<string>((resolve) => {
      stream.on('response', (headers) => (status = String(headers[':status'])));
      stream.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
        if (body.length >= count) resolve(`:status: ${status}\n[body] ${body}`);
      });
    });
    this.#note(await patiently(whole, '[nothing came]'));
  }

  async readClose(): Promise<void> {
    const ending = await patiently(
      this.#closed.then(() => '[closed]'),
      '[still open]',
    );
    this.#note(this.#goaway + ending);
  }

  end(): void {
    this.#last?.end();
  }

  reset(): void {
    this.#isClosed = true;
    this.#session.destroy();
  }

  rst(code: number): void {
    this.#last?.close(code);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#goaway !== '') this.#note(this.#goaway);
    this.#session.destroy();
  }

  #open({ method, path, host, headers, body, chunks, trailers, version }: Request): ClientHttp2Stream {
    const isConnect = method === 'CONNECT' && !headers.some((line) => line.startsWith(':protocol:'));
    const hasBody = body !== null || chunks !== null || trailers.length > 0 || version === 'open';
    const stream = this.#session.request(
      {
        ':method': method,
        ...(isConnect ? {} : { ':path': this.#fill(path), ':scheme': 'http' }),
        ...(host === null ? {} : { ':authority': this.#fill(host) }),
        ...fieldsOf(headers.map(this.#fill)),
      },
      { endStream: !hasBody, waitForTrailers: trailers.length > 0 },
    );
    if (trailers.length > 0) stream.on('wantTrailers', () => stream.sendTrailers(fieldsOf(trailers)));
    return stream;
  }
}

function responseOf(stream: ClientHttp2Stream): Promise<string> {
  const lines: string[] = [];
  let body = '';
  const fields = (headers: object, before: string): string[] =>
    Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((each) => `${before}${name}: ${String(each)}`),
    );
  stream.on('headers', (headers) => lines.push(...fields(headers, '')));
  stream.on('response', (headers) => lines.push(...fields(headers, '')));
  stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
  return new Promise((resolve) => {
    let trailers: string[] = [];
    stream.on('trailers', (headers) => (trailers = fields(headers, '[trailer] ')));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      const code = stream.rstCode ?? 0;
      const end = code === 0 ? [] : [`[reset ${code}]`];
      resolve([...lines, ...(body === '' ? [] : [`[body] ${body}`]), ...trailers, ...end].join('\n'));
    });
    stream.resume();
  });
}

async function patiently(value: Promise<string>, otherwise: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(otherwise), PATIENCE_MS);
  try {
    return await Promise.race([value, promise]);
  } finally {
    clearTimeout(timer);
  }
}
