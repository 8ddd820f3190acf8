/** As much as libuv reads at once. */
const READ_BYTES = 64 * 1024;

/**
 * All readers read into the same memory: one read is over, callback and all, before another begins. So nothing is
 * allocated for bytes that only pass; otherwise every read leaves a buffer for V8 to collect.
 */
const memory = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * Takes what a socket reads, in place of its `data` events. Made before the socket, since Node wants to know
 * (`onread` of `net.connect`); `pause`, `resume` and the other events are the socket's.
 */
export class SharedReader {
  /**
   * Set before the socket reads. The bytes are the callee's until it returns: it copies what it keeps. What comes while
   * it is not set is nobody's: `node:http2` takes its bytes below the socket, and what is left when its session has
   * ended has no meaning.
   */
  onBytes: (bytes: Buffer) => void = drop;

  /** The option of `net.connect` and `tls.connect`. */
  readonly onread = { buffer: memory, callback: (length: number): boolean => this.take(length) };

  /** For Node: so many bytes were read. True: go on. */
  take(length: number): boolean {
    this.onBytes(memory.subarray(0, length));
    return true;
  }
}

function drop(): void {}
