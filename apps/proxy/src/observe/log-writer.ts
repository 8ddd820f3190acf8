import { FlotillaError, type Clock } from '@flotilla/runtime';
import { countLines, DEFAULT_LOG_BOUNDS, type LogBounds, openRotatingFile, reasonOf } from '@flotilla/runtime/disk';
import type { Logger } from '@flotilla/observe';
import { standardError, standardOutput } from '@flotilla/sockets/standard-streams';
import type { Counter, Gauge, StatsRegistry } from '../base/stats.ts';

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
  /** How much of each file is kept. */
  readonly bounds?: LogBounds;
  readonly standardOutput?: NodeJS.WritableStream;
  readonly standardError?: NodeJS.WritableStream;
}

const FLUSH_AT_BYTES = 64 * 1024;

/**
 * Opens the access-log files of one process, which rotate. A disk that is slow, full or gone costs log lines, never a
 * request; lines that are lost are counted (`filesystem.write_failed`), and told when the log goes on.
 */
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
      const writer = new BufferedWriter(path, options, counters);
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

/** Where gathered lines go, one chunk after another. */
interface Sink {
  /** `done` is told how many of the lines were lost, and why when some were. */
  write(chunk: string, done: (lostLines: number, why: string) => void): void;
  close(): Promise<void>;
}

class BufferedWriter implements LogWriter {
  readonly #path: string;
  readonly #options: LogWritersOptions;
  readonly #stats: WriterStats;
  readonly #maxBufferedBytes: number;
  readonly #flushIntervalMs: number;
  #sink: Sink | null = null;
  #pending = '';
  #underWayBytes = 0;
  #isScheduled = false;
  #isBusy = false;
  /** Lost since lines were last written. */
  #lost = 0;
  #idle: (() => void)[] = [];

  constructor(path: string, options: LogWritersOptions, stats: WriterStats) {
    this.#path = path;
    this.#options = options;
    this.#stats = stats;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 4 * 1024 * 1024;
    this.#flushIntervalMs = options.flushIntervalMs ?? 100;
  }

  write(line: string): void {
    if (this.#pending.length + this.#underWayBytes + line.length > this.#maxBufferedBytes) {
      this.#lose(1, 'nobody takes it');
      return;
    }
    this.#pending += line;
    if (this.#pending.length >= FLUSH_AT_BYTES && !this.#isBusy) this.#send();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#options.clock.after(this.#flushIntervalMs, () => {
        this.#isScheduled = false;
        this.#send();
      });
    }
  }

  async flush(): Promise<void> {
    for (;;) {
      this.#send();
      if (!this.#isBusy) return;
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#sink?.close();
  }

  #send(): void {
    if (this.#pending === '' || this.#isBusy) return;
    const chunk = this.#pending;
    this.#pending = '';
    this.#isBusy = true;
    this.#underWayBytes = chunk.length;
    this.#stats.buffered.value += chunk.length;
    this.#sink ??= openSink(this.#path, this.#options);
    this.#sink.write(chunk, (lostLines, why) => {
      this.#isBusy = false;
      this.#underWayBytes = 0;
      this.#stats.buffered.value -= chunk.length;
      if (lostLines > 0) this.#lose(lostLines, why);
      else this.#took();
      for (const resolve of this.#idle.splice(0)) resolve();
      // What came meanwhile, and whose time has come.
      if (!this.#isScheduled) this.#send();
    });
  }

  #took(): void {
    this.#stats.written.value += 1;
    if (this.#lost === 0) return;
    this.#options.logger.warn('access log lines were lost, and are written again', {
      path: this.#path,
      lost: this.#lost,
    });
    this.#lost = 0;
  }

  /** Told once, until lines are written again. */
  #lose(lines: number, why: string): void {
    this.#stats.dropped.value += lines;
    if (this.#lost === 0) this.#options.logger.warn('access log lines are lost', { path: this.#path, why });
    this.#lost += lines;
  }
}

function openSink(path: string, options: LogWritersOptions): Sink {
  if (path === '/dev/stdout') return streamSink(options.standardOutput ?? standardOutput());
  if (path === '/dev/stderr') return streamSink(options.standardError ?? standardError());
  return fileSink(path, options);
}

function streamSink(stream: NodeJS.WritableStream): Sink {
  // Each write tells its own; without a listener the process would end.
  stream.on('error', () => undefined);
  return {
    write(chunk, done) {
      stream.write(chunk, (error) => {
        if (error) done(countLines(Buffer.from(chunk)), reasonOf(error));
        else done(0, '');
      });
    },
    close: () => Promise.resolve(),
  };
}

function fileSink(path: string, { clock, bounds = DEFAULT_LOG_BOUNDS }: LogWritersOptions): Sink {
  let [lost, reason] = [0, ''];
  const onLost = (lines: number, why: string): void => {
    lost += lines;
    reason = why;
  };
  const file = openRotatingFile({ path, clock, ...bounds, onLost });
  return {
    write(chunk, done) {
      lost = 0;
      file.write(chunk);
      void file.flush().then(() => done(lost, reason));
    },
    close: () => file.close(),
  };
}
