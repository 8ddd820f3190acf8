import type { Socket } from 'node:net';
import { type Client, PATIENCE_MS } from './client-connection.ts';
import { findMessage, showMessage } from './message-h1.ts';
import type { Request } from './scenario.ts';

/** A client of HTTP/1 or of plain bytes. */
export class ClientH1 implements Client {
  readonly #socket: Socket;
  readonly #fill: (text: string) => string;
  readonly #note: (text: string) => void;
  readonly #isRaw: boolean;
  #bytes = '';
  #ending: 'end' | 'reset' | null = null;
  #isClosed = false;
  #wake: () => void = () => undefined;
  #methods: string[] = [];

  constructor(socket: Socket, fill: (text: string) => string, note: (text: string) => void, isRaw: boolean) {
    this.#socket = socket;
    this.#fill = fill;
    this.#note = note;
    this.#isRaw = isRaw;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('end', () => this.#over('end'));
    socket.on('error', () => this.#over('reset'));
    socket.on('close', () => this.#over('end'));
    if (socket.destroyed) this.#ending = 'reset';
  }

  async request(request: Request): Promise<void> {
    this.send(requestText(request));
    this.#methods.push(request.method);
    if (request.reads) await this.read(1, '');
  }

  send(text: string): void {
    if (!this.#socket.destroyed) this.#socket.write(this.#fill(text), 'latin1');
  }

  async read(count: number, of: string): Promise<void> {
    for (let left = count; left > 0;) {
      const method = of === '' ? (this.#methods[0] ?? '') : of;
      const message = await this.#until(() => {
        const found = findMessage(this.#bytes, { isResponse: true, method, isOver: this.#ending !== null });
        return found === null ? null : { found };
      });
      if (message === null) return this.#noteRest(this.#bytes === '' ? 'nothing came' : 'no more came');
      const { found } = message;
      if (found === 'broken') return this.#noteRest('');
      this.#bytes = this.#bytes.slice(found.size);
      this.#note(showMessage(found));
      if (/^HTTP\/1\.\d 1(?!01)\d\d/.test(found.head)) continue;
      this.#methods.shift();
      left -= 1;
    }
  }

  async readBytes(count: number): Promise<void> {
    await this.#until(() => (this.#bytes.length >= count || this.#ending !== null ? true : null));
    const bytes = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    this.#note(`[bytes] ${bytes}`);
    if (bytes.length < count) this.#noteRest('no more came');
  }

  async readClose(): Promise<void> {
    await this.#until(() => (this.#ending === null ? null : true));
    this.#noteRest('still open');
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#isClosed = true;
    this.#socket.resetAndDestroy();
  }

  rst(): void {
    throw new Error('rst is a step of HTTP/2');
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#bytes !== '') this.#note(`[besides] ${this.#bytes}`);
    this.#socket.destroy();
  }

  #over(how: 'end' | 'reset'): void {
    this.#ending ??= how;
    this.#wake();
  }

  #noteRest(instead: string): void {
    const rest = this.#bytes;
    this.#bytes = '';
    const ending = this.#ending === null ? `[${instead}]` : `[${this.#ending === 'end' ? 'closed' : 'reset'}]`;
    this.#note(rest === '' ? ending : `${this.#isRaw ? '[bytes] ' : '[broken] '}${rest}\n${ending}`);
  }

  /** Waits until `found` gives something; null when patience is at its end. */
  async #until<T>(found: () => T | null): Promise<T | null> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const value = found();
      if (value !== null) return value;
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) return null;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** The request as HTTP/1.1 text; of known length unless it has chunks or trailers. */
function requestText({ method, path, host, headers, body, chunks, trailers, version }: Request): string {
  const lines = [`${method} ${path} ${version}`, ...(host === null ? [] : [`host: ${host}`]), ...headers];
  if (chunks === null && trailers.length === 0) {
    if (body !== null) lines.push(`content-length: ${body.length}`);
    return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
  }
  const framed = (chunks ?? [body ?? ''])
    .filter((chunk) => chunk !== '')
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  const end = `0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`;
  return `${[...lines, 'transfer-encoding: chunked'].join('\r\n')}\r\n\r\n${framed.join('')}${end}`;
}
