/** As much as libuv reads at once. */
const READ_BYTES = 64 * 1024;

/**
 * All readers read into the same memory: one read is over, callback and all, before another begins. So nothing is
 * allocated for bytes that only pass; otherwise every read leaves a buffer for V8 to collect.
 */
const memory = Buffer.allocUnsafeSlow(READ_BYTES);

let afterUse: ((bytes: Buffer) => void) | null = null;

/** Tests may look at, or spoil, bytes that are nobody's any more. */
export function onBytesUsed(callback: ((bytes: Buffer) => void) | null): void {
  afterUse = callback;
}

/**
 * Takes what a socket reads, in place of its `data` events. Made before the socket, since Node wants to know
 * (`onread` of `net.connect`); `pause`, `resume` and the other events are the socket's.
 */
export class SharedReader {
  /** Set before the socket reads. The bytes are the callee's until it returns: it copies what it keeps. */
  onBytes: (bytes: Buffer) => void = nobody;

  /** The option of `net.connect` and `tls.connect`. */
  readonly onread = { buffer: memory, callback: (length: number): boolean => this.#take(length) };

  /** For bytes that come another way; they may be kept. */
  take(bytes: Buffer): void {
    this.onBytes(bytes);
  }

  #take(length: number): boolean {
    const bytes = memory.subarray(0, length);
    this.onBytes(bytes);
    if (afterUse !== null) afterUse(bytes);
    return true;
  }
}

function nobody(): void {
  throw new Error('bytes came before their reader was set');
}
