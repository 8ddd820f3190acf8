import { limit, type Clock, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { type GrpcCaller, type GrpcSending, type GrpcTarget, openSending } from '../../grpc/call.ts';
import type { Counter, StatsRegistry } from '../../base/stats.ts';

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

export interface SenderOptions {
  readonly target: GrpcTarget;
  /** Makes the message that is sent. `isFirst`: the first of a stream says who sends. */
  readonly pack: (entries: readonly Uint8Array[], isFirst: boolean) => Uint8Array;
  /** How long entries are gathered before they are sent; 0: they are not gathered. */
  readonly flushIntervalMs: number;
  /** How many bytes of entries are gathered at most before they are sent; 0: they are not gathered. */
  readonly bufferBytes: number;
}

export interface SenderTools extends GrpcCaller {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: StatsRegistry;
}

/** Entries that may wait while the service does not read. */
const MAX_WAITING_BYTES = limit({
  name: 'proxy.log-service-bytes',
  what: 'entries that wait for an access-log service',
  default: 1024 * 1024,
  unit: 'bytes',
  past: 'dropped and counted: requests go on',
});

const CLOSE_WITHIN_MS = 1_000;

/**
 * Sends encoded log entries to an access log service (ALS), on one stream that is opened when there is something to
 * send and again after it broke. A service that is slow or away costs entries, which are counted, never a request.
 */
export class LogSender {
  readonly #options: SenderOptions;
  readonly #tools: SenderTools;
  readonly #written: Counter;
  readonly #dropped: Counter;
  #entries: Uint8Array[] = [];
  #bytes = 0;
  #stream: GrpcSending | null = null;
  #isFirst = true;
  #isBlocked = false;
  #hasWarned = false;
  #timer: Timer | null = null;
  #onClosed: (() => void) | null = null;

  constructor(options: SenderOptions, tools: SenderTools) {
    this.#options = options;
    this.#tools = tools;
    this.#written = tools.stats.counter('access_logs.grpc_access_log.logs_written');
    this.#dropped = tools.stats.counter('access_logs.grpc_access_log.logs_dropped');
  }

  add(entry: Uint8Array): void {
    if (this.#bytes + entry.length > MAX_WAITING_BYTES) {
      this.#dropped.value += 1;
      return;
    }
    this.#entries.push(entry);
    this.#bytes += entry.length;
    const { bufferBytes, flushIntervalMs } = this.#options;
    if (this.#bytes >= bufferBytes || flushIntervalMs === 0) this.flush();
    else this.#flushLater();
  }

  /** Sends what has gathered, if the service reads. */
  flush(): void {
    if (this.#entries.length === 0 || this.#isBlocked) return;
    const stream = this.#open();
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    if (!stream.isOpen) {
      this.#dropped.value += entries.length;
      return;
    }
    this.#written.value += entries.length;
    this.#isBlocked = !stream.send(this.#options.pack(entries, this.#isFirst));
    this.#isFirst = false;
  }

  /** Sends what is left. Resolves when the service has taken it, or does not answer within a second. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#isBlocked = false;
    this.flush();
    const stream = this.#stream;
    if (stream === null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onClosed = resolve;
    const timer = this.#tools.clock.after(CLOSE_WITHIN_MS, resolve);
    stream.end();
    await promise;
    timer.cancel();
    this.#stream = null;
    stream.cancel();
  }

  #flushLater(): void {
    this.#timer ??= this.#tools.clock.after(this.#options.flushIntervalMs, () => {
      this.#timer = null;
      this.flush();
    });
  }

  #open(): GrpcSending {
    if (this.#stream !== null) return this.#stream;
    const { target } = this.#options;
    this.#isFirst = true;
    const stream = openSending(
      this.#tools,
      target,
      PATH,
      (outcome) => this.#onOver(stream, outcome.message === null ? outcome.detail : 'the service ended the stream'),
      () => {
        this.#isBlocked = false;
        this.flush();
      },
    );
    this.#stream = stream;
    return stream;
  }

  #onOver(stream: GrpcSending, reason: string): void {
    if (this.#stream !== stream) return;
    this.#stream = null;
    this.#isBlocked = false;
    if (this.#onClosed !== null) {
      this.#onClosed();
      return;
    }
    // What waited for this stream goes by another.
    if (this.#entries.length > 0) this.#flushLater();
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#tools.logger.warn('access log entries may be lost', { cluster: this.#options.target.cluster, reason });
  }
}
