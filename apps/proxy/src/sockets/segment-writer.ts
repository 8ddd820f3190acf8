import type { Socket } from 'node:net';

/** More than one read brings, with its framing. */
const MEMORY_BYTES = 256 * 1024;

/*
 * What is written in one turn gathers in memory that all writers share, one after another: nothing is allocated for
 * it, so that V8 need not collect what only passed. Where a socket does not take all at once its part stays as it is
 * until it has, and the next part begins behind it, at last in new memory.
 */
let memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
let start = 0;
let end = 0;
/** Whose bytes are between `start` and `end`. */
let owner: SegmentWriter | null = null;

/**
 * Collects the pieces of what is written in one turn and writes them as few buffers. Pieces are copied, so that they
 * are the caller's again at once. Text is latin1. `flush` must be called before the turn ends; when another writer
 * begins before, that happens by itself.
 */
export class SegmentWriter {
  readonly #socket: Socket;
  readonly #onBlocked: () => void;

  /** `onBlocked`: the socket wants no more until its `drain`; may be called again before that. */
  constructor(socket: Socket, onBlocked: () => void) {
    this.#socket = socket;
    this.#onBlocked = onBlocked;
  }

  text(segment: string): void {
    if (segment.length > MEMORY_BYTES) {
      this.flush();
      this.#wrote(this.#socket.write(segment, 'latin1'));
      return;
    }
    reserve(this, segment.length);
    end += memory.write(segment, end, 'latin1');
  }

  data(segment: Uint8Array): void {
    if (segment.length > MEMORY_BYTES) {
      this.flush();
      this.#wrote(this.#socket.write(Buffer.from(segment)));
      return;
    }
    reserve(this, segment.length);
    memory.set(segment, end);
    end += segment.length;
  }

  flush(): void {
    if (owner !== this) return;
    owner = null;
    if (end === start) return;
    const from = start;
    const to = end;
    start = to;
    const isWritable = this.#socket.write(memory.subarray(from, to));
    // Taken whole, and nothing was added meanwhile: the same memory serves the next turn.
    if (this.#socket.writableLength === 0 && end === to) start = end = from;
    this.#wrote(isWritable);
  }

  #wrote(isWritable: boolean): void {
    if (!isWritable) this.#onBlocked();
  }
}

/** Makes room for bytes of this writer at `end`. */
function reserve(writer: SegmentWriter, bytes: number): void {
  if (owner !== writer) owner?.flush();
  owner = writer;
  if (bytes <= MEMORY_BYTES - end) return;
  writer.flush();
  owner = writer;
  if (bytes <= MEMORY_BYTES - end) return;
  memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
  start = end = 0;
}
