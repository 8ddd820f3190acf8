import { createWriteStream, type WriteStream } from 'node:fs';
import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { standardError, standardOutput } from '@flotilla/sockets/standard-streams';
import type { Counter, Gauge, StatsRegistry } from './stats.ts';

/** Takes whole lines; never blocks and never throws. */
export interface LogWriter {
  write(line: string): void;
  /** Resolves when everything that was taken is with the operating system. */
  flush(): Promise<void>;
}

export interface LogWriters {
  /** One writer per file; `/dev/stdout` and `/dev/stderr` are this process's own. Throws `invalid` for an empty path. */
  open(path: string): LogWriter;
  close(): Promise<void>;
}

export interface LogWritersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: StatsRegistry;
  /** How long lines are gathered before a write. */
  readonly flushIntervalMs?: number;
  /** Bytes gathered or under way at most; what comes on top is dropped and counted. */
  readonly maxBufferedBytes?: number;
  readonly standardOutput?: NodeJS.WritableStream;
  readonly standardError?: NodeJS.WritableStream;
}

const FLUSH_AT_BYTES = 64 * 1024;

/** Opens the access-log files of one process. A disk that is slow or full costs log lines, never a request. */
export function openLogWriters(options: LogWritersOptions): LogWriters {
  const writers = new Map<string, BufferedWriter>();
  const counters: WriterStats = {
    dropped: options.stats.counter('filesystem.write_failed'),
    written: options.stats.counter('filesystem.write_completed'),
    buffered: options.stats.gauge('filesystem.write_total_buffered'),
  };
  return {
    open(path) {
      if (path === '') throw new FlotillaError('invalid', 'an access log needs a path');
      const known = writers.get(path);
      if (known !== undefined) return known;
      const writer = new BufferedWriter(() => streamOf(path, options), options, counters, path);
      writers.set(path, writer);
      return writer;
    },
    async close() {
      await Promise.all([...writers.values()].map((writer) => writer.close()));
    },
  };
}

interface WriterStats {
  readonly dropped: Counter;
  readonly written: Counter;
  readonly buffered: Gauge;
}

class BufferedWriter implements LogWriter {
  readonly #open: () => NodeJS.WritableStream;
  readonly #options: LogWritersOptions;
  readonly #stats: WriterStats;
  readonly #path: string;
  readonly #maxBufferedBytes: number;
  readonly #flushIntervalMs: number;
  #stream: NodeJS.WritableStream | null = null;
  #pending = '';
  #underWayBytes = 0;
  #isScheduled = false;
  #hasFailed = false;
  #idle: (() => void)[] = [];

  constructor(open: () => NodeJS.WritableStream, options: LogWritersOptions, stats: WriterStats, path: string) {
    this.#open = open;
    this.#options = options;
    this.#stats = stats;
    this.#path = path;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 4 * 1024 * 1024;
    this.#flushIntervalMs = options.flushIntervalMs ?? 100;
  }

  write(line: string): void {
    if (this.#pending.length + this.#underWayBytes + line.length > this.#maxBufferedBytes) {
      this.#stats.dropped.value += 1;
      return;
    }
    this.#pending += line;
    if (this.#pending.length >= FLUSH_AT_BYTES) this.#send();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#options.clock.after(this.#flushIntervalMs, () => {
        this.#isScheduled = false;
        this.#send();
      });
    }
  }

  async flush(): Promise<void> {
    this.#send();
    if (this.#underWayBytes > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async close(): Promise<void> {
    await this.flush();
    const stream = this.#stream;
    if (stream !== null && isFile(stream)) await new Promise<void>((resolve) => stream.end(() => resolve()));
  }

  #send(): void {
    if (this.#pending === '') return;
    const chunk = this.#pending;
    this.#pending = '';
    const stream = this.#target();
    this.#underWayBytes += chunk.length;
    this.#stats.buffered.value += chunk.length;
    stream.write(chunk, (error) => {
      this.#underWayBytes -= chunk.length;
      this.#stats.buffered.value -= chunk.length;
      if (error) this.#fail(error);
      else this.#stats.written.value += 1;
      if (this.#underWayBytes > 0) return;
      const waiting = this.#idle;
      this.#idle = [];
      for (const resolve of waiting) resolve();
    });
  }

  #target(): NodeJS.WritableStream {
    if (this.#stream === null) {
      this.#stream = this.#open();
      if (isFile(this.#stream)) {
        this.#stream.on('error', (error) => {
          this.#fail(error);
          // The next write opens the file again: the disk may have room by then.
          this.#stream = null;
        });
      }
    }
    return this.#stream;
  }

  #fail(error: Error): void {
    this.#stats.dropped.value += 1;
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.logger.warn('access log lines are lost', { path: this.#path, error });
  }
}

function streamOf(path: string, options: LogWritersOptions): NodeJS.WritableStream {
  if (path === '/dev/stdout') return options.standardOutput ?? standardOutput();
  if (path === '/dev/stderr') return options.standardError ?? standardError();
  return createWriteStream(path, { flags: 'a' });
}

function isFile(stream: NodeJS.WritableStream): stream is WriteStream {
  return 'path' in stream && 'bytesWritten' in stream;
}
