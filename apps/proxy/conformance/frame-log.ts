import { type Frame, FrameFlag, FrameReader, FrameType, HpackDecoder } from '@flotilla/http-codec/testing';

/** What came on one stream. */
interface Seen {
  readonly heads: string[];
  body: string;
  readonly after: string[];
  /** The peer ended it; it was reset. */
  hasEnded: boolean;
  isReset: boolean;
}

/** Notes what a peer of HTTP/2 says, stream by stream: what has no order between streams is told in the order of their numbers. */
export class FrameLog {
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Map<number, Seen>();
  readonly #ended = new Set<number>();
  #fragments: Buffer = Buffer.alloc(0);
  #goaway = '';

  /** Takes bytes; gives the frames that came with them. */
  read(bytes: Buffer): readonly Frame[] {
    const frames = this.#reader.read(bytes);
    for (const each of frames) this.#take(each);
    return frames;
  }

  /** Streams that are over: reset, or ended by both sides. */
  get over(): number {
    return [...this.#streams].filter(([id, { hasEnded, isReset }]) => isReset || (hasEnded && this.#ended.has(id)))
      .length;
  }

  /** The other side ends the stream. */
  end(stream: number): void {
    this.#ended.add(stream);
  }

  /** The streams so far, by number. */
  streams(): string[] {
    return [...this.#streams].sort(([a], [b]) => a - b).map(([, seen]) => show(seen));
  }

  forget(): void {
    this.#streams.clear();
  }

  get goaway(): string {
    return this.#goaway;
  }

  #take({ type, flags, stream, payload }: Frame): void {
    switch (type) {
      case FrameType.headers:
      case FrameType.continuation: {
        const section = Buffer.concat([this.#fragments, payload]);
        this.#fragments = section;
        if (type === FrameType.headers && (flags & FrameFlag.endStream) !== 0) this.#of(stream).hasEnded = true;
        if ((flags & FrameFlag.endHeaders) === 0) return;
        this.#fragments = Buffer.alloc(0);
        this.#onFields(this.#of(stream), this.#decoder.decode(section));
        if (this.#of(stream).hasEnded) this.#of(stream).after.push('[end]');
        return;
      }
      case FrameType.data:
        this.#of(stream).body += payload.toString('latin1');
        if ((flags & FrameFlag.endStream) === 0) return;
        this.#of(stream).hasEnded = true;
        this.#of(stream).after.push('[end]');
        return;
      case FrameType.rstStream:
        this.#of(stream).isReset = true;
        this.#of(stream).after.push(`[reset ${payload.readUInt32BE(0)}]`);
        return;
      case FrameType.goaway:
        this.#goaway = `[goaway ${payload.readUInt32BE(4)}]`;
        return;
    }
  }

  #onFields({ heads, after }: Seen, fields: readonly (readonly [string, string])[]): void {
    const isHead = fields.some(([name]) => name.startsWith(':'));
    const lines = fields.map(([name, value]) => `${isHead ? '' : '[trailer] '}${name}: ${value}`);
    (isHead ? heads : after).push(...lines);
  }

  #of(stream: number): Seen {
    let seen = this.#streams.get(stream);
    if (seen === undefined)
      this.#streams.set(stream, (seen = { heads: [], body: '', after: [], hasEnded: false, isReset: false }));
    return seen;
  }
}

function show({ heads, body, after }: Seen): string {
  return [...heads, ...(body === '' ? [] : [`[body] ${body}`]), ...after].join('\n');
}
