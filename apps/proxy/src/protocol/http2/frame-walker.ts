/** Types of frames that are looked at (RFC 9113, section 6). */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const PUSH_PROMISE = 5;
export const WINDOW_UPDATE = 8;
export const GOAWAY = 7;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const HAS_PRIORITY = 0x20;

const HEAD_BYTES = 9;
const CODE_AT = 4;
const NOTHING = Buffer.alloc(0);

/**
 * What becomes of a frame. `whole`: its payload is wanted, in `onPayload`. `apart`: likewise, and nothing may stand
 * before it in its piece. `refuse`: it may not pass.
 */
export type Verdict = 'pass' | 'whole' | 'apart' | 'refuse';

/** Sees the frames of one direction of a connection. What it refuses ends the walk. */
export interface FrameVisitor {
  /** A frame begins. It is asked again for one that is `apart`. */
  onHead(type: number, flags: number, stream: number, length: number): Verdict;
  /**
   * The payload that was wanted; valid until it returns. False: refuse. What it writes into the payload passes in the
   * place of what came, but for octets of earlier pieces, which have passed.
   */
  onPayload(payload: Buffer): boolean;
}

/**
 * Finds the frames in bytes that come in pieces, without a copy unless a wanted payload is cut. Frames that no peer
 * may send are passed over by their length: judging them is the session's.
 */
export class FrameWalker {
  readonly #visitor: FrameVisitor;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  /** Octets of the present frame's payload that are to come; -1: its head is. */
  #left = -1;
  /** The pieces of a payload that is wanted; null: it is not. */
  #pieces: Buffer[] | null = null;
  /** Before the first frame. */
  #skip: number;

  /** `skip`: octets that come before the first frame. */
  constructor(visitor: FrameVisitor, skip: number) {
    this.#visitor = visitor;
    this.#skip = skip;
  }

  /** Octets of the piece that may pass. Less than all of them: the frame that begins there was refused or is apart. */
  walk(piece: Buffer): number {
    const end = piece.length;
    let at = Math.min(this.#skip, end);
    this.#skip -= at;
    let start = 0;
    while (at < end) {
      if (this.#left < 0) {
        start = at;
        at = this.#takeHead(piece, at);
        if (at < 0) return start;
        if (this.#left > 0 || this.#pieces === null) continue;
      }
      const taken = Math.min(this.#left, end - at);
      this.#left -= taken;
      this.#pieces?.push(piece.subarray(at, at + taken));
      at += taken;
      if (this.#left === 0 && !this.#finish(piece, at, taken)) return start;
    }
    this.#keepPieces();
    return end;
  }

  /** Where the walk goes on; below 0: not with this frame. */
  #takeHead(piece: Buffer, at: number): number {
    let head = piece;
    let from = at;
    const missing = HEAD_BYTES - this.#headBytes;
    if (this.#headBytes > 0 || piece.length - at < HEAD_BYTES) {
      const copied = piece.copy(this.#head, this.#headBytes, at, at + missing);
      this.#headBytes += copied;
      if (copied < missing) return piece.length;
      head = this.#head;
      from = 0;
    }
    this.#headBytes = 0;
    const length = ((head[from] ?? 0) << 16) | ((head[from + 1] ?? 0) << 8) | (head[from + 2] ?? 0);
    const stream = head.readUInt32BE(from + 5) & 0x7fff_ffff;
    const verdict = this.#visitor.onHead(head[from + 3] ?? 0, head[from + CODE_AT] ?? 0, stream, length);
    if (verdict === 'refuse' || (verdict === 'apart' && at > 0)) return -1;
    this.#pieces = verdict === 'pass' ? null : [];
    this.#left = length === 0 && verdict === 'pass' ? -1 : length;
    return at + missing;
  }

  /** A frame ends, with the octets of `piece` before `end`. */
  #finish(piece: Buffer, end: number, count: number): boolean {
    const pieces = this.#pieces;
    this.#left = -1;
    this.#pieces = null;
    if (pieces === null) return true;
    if (pieces.length === 1) return this.#visitor.onPayload(pieces[0] ?? NOTHING);
    const payload = Buffer.concat(pieces);
    const mayPass = this.#visitor.onPayload(payload);
    payload.copy(piece, end - count, payload.length - count);
    return mayPass;
  }

  /** The piece's memory is another's after the walk. */
  #keepPieces(): void {
    const last = this.#pieces?.pop();
    if (last !== undefined) this.#pieces?.push(Buffer.from(last));
  }
}
