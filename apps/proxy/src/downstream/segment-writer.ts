import type { Socket } from 'node:net';

/** Up to here segments are copied into one buffer: one system call, and cheaper than a vectored write. */
const MAX_JOINED_BYTES = 64 * 1024;
const LARGE_SEGMENT_BYTES = 16 * 1024;

/**
 * Collects the pieces of what is written in one turn and writes them as few buffers. Text is latin1. Owned by one
 * connection; `flush` must be called before the turn ends.
 */
export class SegmentWriter {
  readonly #socket: Socket;
  readonly #segments: (string | Buffer)[] = [];
  #bytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  text(segment: string): void {
    this.#segments.push(segment);
    this.#bytes += segment.length;
  }

  data(segment: Buffer): void {
    this.#segments.push(segment);
    this.#bytes += segment.length;
  }

  /** False: the socket wants no more until its `drain`. */
  flush(): boolean {
    const segments = this.#segments;
    const bytes = this.#bytes;
    if (bytes === 0) return true;
    this.#bytes = 0;
    const [first] = segments;
    let isWritable: boolean;
    if (segments.length === 1 && first !== undefined) {
      isWritable = typeof first === 'string' ? this.#socket.write(first, 'latin1') : this.#socket.write(first);
    } else if (bytes <= MAX_JOINED_BYTES && !hasLarge(segments)) {
      isWritable = this.#socket.write(join(segments, bytes));
    } else isWritable = this.#writeEach(segments);
    segments.length = 0;
    return isWritable;
  }

  #writeEach(segments: readonly (string | Buffer)[]): boolean {
    let isWritable = true;
    this.#socket.cork();
    for (const segment of segments) {
      isWritable = typeof segment === 'string' ? this.#socket.write(segment, 'latin1') : this.#socket.write(segment);
    }
    this.#socket.uncork();
    return isWritable;
  }
}

function hasLarge(segments: readonly (string | Buffer)[]): boolean {
  for (const segment of segments) if (segment.length > LARGE_SEGMENT_BYTES) return true;
  return false;
}

function join(segments: readonly (string | Buffer)[], bytes: number): Buffer {
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const segment of segments) {
    if (typeof segment === 'string') joined.write(segment, at, 'latin1');
    else joined.set(segment, at);
    at += segment.length;
  }
  return joined;
}
