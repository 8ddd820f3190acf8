import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { FlotillaError } from '../errors.ts';
import { reasonOf } from './unwritable.ts';

/** How much of a log is kept: `maxFiles` files of about `maxBytes` each. */
export interface LogBounds {
  readonly maxBytes: number;
  /** The one that is written among them. */
  readonly maxFiles: number;
}

/** Thirty megabytes for each log, as much as the containers of `deploy/compose` have. */
export const DEFAULT_LOG_BOUNDS: LogBounds = { maxBytes: 10 << 20, maxFiles: 3 };

/** Lines that a log could not take. */
export interface LogLoss {
  readonly lines: number;
  readonly sinceMs: number;
  /** Such as `the disk is full`. */
  readonly why: string;
}

export interface RotatingFileOptions extends LogBounds {
  readonly path: string;
  readonly clock: Clock;
  /** Bytes that wait for the disk at most; what comes on top is lost. */
  readonly maxBufferedBytes?: number;
  /** Told of every line that is lost, when it is. */
  readonly onLost?: (lines: number, why: string) => void;
  /** The line that stands in the log for what it lost, without its end; written as soon as the log takes lines again. */
  readonly notice?: (loss: LogLoss) => string;
}

/** A log in a file. It never fails, never blocks and never holds more than it may: what it cannot take is counted. */
export interface RotatingFile {
  write(chunk: string | Uint8Array): void;
  /** Lines that were lost since it was opened. */
  readonly lostLines: number;
  /** Resolves when all that was written is with the operating system, or lost. */
  flush(): Promise<void>;
  /** Idempotent. What is written later is lost. */
  close(): Promise<void>;
}

const MAX_BUFFERED_BYTES = 4 << 20;
const BATCH_BYTES = 64 * 1024;
// How often it is looked whether the file still has its name: somebody may have removed it, or moved it away.
const LOOK_EVERY_MS = 1_000;
const LINE_FEED = 0x0a;

/**
 * Opens a log that goes on in `<path>`, and is moved to `<path>.1`, `.2`, … when it is full. A disk that is full,
 * read-only or gone costs lines; the file is opened again with the next ones, and says then how many are missing.
 */
export function openRotatingFile(options: RotatingFileOptions): RotatingFile {
  return new Rotating(options);
}

class Rotating implements RotatingFile {
  readonly #options: RotatingFileOptions;
  readonly #maxBufferedBytes: number;
  #waiting: Buffer[] = [];
  /** Those under way among them. */
  #waitingBytes = 0;
  #draining: Promise<void> | null = null;
  #isClosed = false;
  #handle: FileHandle | null = null;
  #which = '';
  #bytes = 0;
  #isMidLine = false;
  #lookedMs = 0;
  #loss: LogLoss | null = null;
  lostLines = 0;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? MAX_BUFFERED_BYTES;
  }

  write(chunk: string | Uint8Array): void {
    const bytes = Buffer.from(chunk);
    if (bytes.length === 0) return;
    if (this.#isClosed) return this.#lose(bytes, 'it is closed');
    if (this.#waitingBytes + bytes.length > this.#maxBufferedBytes) return this.#lose(bytes, 'the disk is too slow');
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#draining ??= this.#drain();
  }

  async flush(): Promise<void> {
    await this.#draining;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#draining;
    await this.#letGo();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      let written = 0;
      try {
        const handle = await this.#target(batch.length);
        await this.#tellLoss(handle);
        while (written < batch.length) written += await this.#put(handle, batch.subarray(written));
      } catch (error) {
        this.#lose(batch.subarray(written), reasonOf(error));
        // Opened again with what comes next: there may be room by then, or another file.
        await this.#letGo();
      }
      this.#waitingBytes -= batch.length;
    }
    this.#draining = null;
  }

  #take(): Buffer {
    let [count, bytes] = [0, 0];
    do bytes += this.#waiting[count++]?.length ?? 0;
    while (count < this.#waiting.length && bytes + (this.#waiting[count]?.length ?? 0) <= BATCH_BYTES);
    return Buffer.concat(this.#waiting.splice(0, count));
  }

  /** The file that takes the next bytes: the one that has the name, with room for them. */
  async #target(bytes: number): Promise<FileHandle> {
    const { path, maxBytes, clock } = this.#options;
    if (this.#handle !== null && clock.monotonicMs() - this.#lookedMs >= LOOK_EVERY_MS) {
      this.#lookedMs = clock.monotonicMs();
      if ((await whichFile(path)) !== this.#which) await this.#letGo();
    }
    this.#handle ??= await this.#open();
    // A line is not cut in two, unless it does not end.
    const limit = this.#isMidLine ? maxBytes + BATCH_BYTES : maxBytes;
    if (this.#bytes === 0 || this.#bytes + bytes <= limit) return this.#handle;
    await this.#letGo();
    await this.#rotate();
    this.#handle = await this.#open();
    return this.#handle;
  }

  async #open(): Promise<FileHandle> {
    const handle = await open(this.#options.path, 'a', 0o600);
    const { dev, ino, size } = await handle.stat();
    this.#which = `${dev}:${ino}`;
    this.#bytes = size;
    this.#lookedMs = this.#options.clock.monotonicMs();
    return handle;
  }

  async #rotate(): Promise<void> {
    const { path, maxFiles } = this.#options;
    if (maxFiles === 1) return (await open(path, constants.O_WRONLY | constants.O_TRUNC)).close();
    for (let at = maxFiles - 1; at > 0; at--) {
      try {
        await rename(at === 1 ? path : `${path}.${at - 1}`, `${path}.${at}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  async #tellLoss(handle: FileHandle): Promise<void> {
    const loss = this.#loss;
    if (loss === null) return;
    const text = `${this.#isMidLine ? '\n' : ''}${(this.#options.notice ?? plainNotice)(loss)}\n`;
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) written += await this.#put(handle, bytes.subarray(written));
    this.#loss = null;
  }

  async #put(handle: FileHandle, bytes: Buffer): Promise<number> {
    const { bytesWritten } = await handle.write(bytes);
    if (bytesWritten === 0) throw new FlotillaError('system', 'it takes no more');
    this.#bytes += bytesWritten;
    this.#isMidLine = bytes[bytesWritten - 1] !== LINE_FEED;
    return bytesWritten;
  }

  #lose(bytes: Buffer, why: string): void {
    const lines = countLines(bytes);
    this.lostLines += lines;
    const { sinceMs = this.#options.clock.now(), lines: before = 0 } = this.#loss ?? {};
    this.#loss = { lines: before + lines, sinceMs, why };
    this.#options.onLost?.(lines, why);
  }

  async #letGo(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    try {
      await handle?.close();
    } catch {
      // What a full disk did not take was told by the write itself.
    }
  }
}

function plainNotice({ lines, sinceMs, why }: LogLoss): string {
  return `(${lines} lines of this log are missing, since ${new Date(sinceMs).toISOString()}: ${why})`;
}

/** A last line without its end is one. */
export function countLines(bytes: Uint8Array): number {
  let lines = bytes.length > 0 && bytes[bytes.length - 1] !== LINE_FEED ? 1 : 0;
  for (const byte of bytes) if (byte === LINE_FEED) lines++;
  return lines;
}

async function whichFile(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch {
    return null; // Removed, or its directory was.
  }
}
