import { FlotillaError } from '@flotilla/runtime';

const HEAD_BYTES = 5;

/** Counts the messages of a gRPC body as it passes by: each has a flag byte and a length of 4 bytes before it. */
export class FrameCounter {
  count = 0;
  /** Bytes of the present message that are still to come. */
  #missing = 0;
  #headBytes = 0;
  #length = 0;

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, chunk.length - at);
        this.#missing -= taken;
        at += taken;
        continue;
      }
      if (this.#headBytes === 0) this.#length = 0;
      else this.#length = this.#length * 256 + (chunk[at] ?? 0);
      this.#headBytes += 1;
      at += 1;
      if (this.#headBytes < HEAD_BYTES) continue;
      this.#headBytes = 0;
      this.count += 1;
      this.#missing = this.#length;
    }
  }
}

/** A gRPC message in its frame, uncompressed. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

export interface Frame {
  readonly isCompressed: boolean;
  readonly message: Buffer;
}

/** Cuts a gRPC body into its messages. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);

  /** Bytes of a message that is not whole. */
  get pendingBytes(): number {
    return this.#bytes.length;
  }

  /** Takes a piece and gives the messages that it completes. Throws `invalid` for a flag that gRPC does not have. */
  push(chunk: Buffer): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const frames: Frame[] = [];
    while (this.#bytes.length >= HEAD_BYTES) {
      const flag = this.#bytes[0] ?? 0;
      if (flag > 1) throw new FlotillaError('invalid', `Unsupported gRPC frame flag: ${flag}`);
      const end = HEAD_BYTES + this.#bytes.readUInt32BE(1);
      if (this.#bytes.length < end) break;
      frames.push({ isCompressed: flag === 1, message: this.#bytes.subarray(HEAD_BYTES, end) });
      this.#bytes = this.#bytes.subarray(end);
    }
    return frames;
  }
}
