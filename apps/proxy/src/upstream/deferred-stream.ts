import type { HeaderList } from '@flotilla/http-codec';
import { limit } from '@flotilla/runtime';
import type { UpstreamHandler, UpstreamRequest, UpstreamStream } from '../ports/cluster-manager.ts';

/** What is taken without asking the caller to wait. */
const MAX_BUFFERED_BYTES = limit({
  name: 'proxy.deferred-body-bytes',
  what: 'request body that waits until its pool is known',
  default: 65_536,
  unit: 'bytes',
  past: 'the client is paused',
});

/** A request that waits until it is known which pool carries it; afterwards it passes everything on to that one. */
export class DeferredStream implements UpstreamStream {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
  isAborted = false;
  readonly #onAbort: (stream: DeferredStream) => void;
  #bound: UpstreamStream | null = null;
  #buffered: Buffer[] = [];
  #bufferedBytes = 0;
  #hasEnded = false;
  #isPaused = false;
  #trailers: HeaderList | null = null;

  constructor(request: UpstreamRequest, handler: UpstreamHandler, onAbort: (stream: DeferredStream) => void) {
    this.request = request;
    this.handler = handler;
    this.#onAbort = onAbort;
  }

  /** Hands over what came so far. */
  bind(stream: UpstreamStream): void {
    this.#bound = stream;
    const buffered = this.#buffered;
    this.#buffered = [];
    if (this.#isPaused) stream.pause();
    let isWritable = true;
    for (const chunk of buffered) isWritable = stream.write(chunk);
    if (this.#hasEnded) stream.end(this.#trailers);
    else if (isWritable && this.#bufferedBytes >= MAX_BUFFERED_BYTES) this.handler.onDrain();
  }

  write(chunk: Buffer): boolean {
    if (this.#bound !== null) return this.#bound.write(chunk);
    this.#buffered.push(chunk);
    this.#bufferedBytes += chunk.length;
    return this.#bufferedBytes < MAX_BUFFERED_BYTES;
  }

  end(trailers: HeaderList | null): void {
    if (this.#bound !== null) return this.#bound.end(trailers);
    this.#hasEnded = true;
    this.#trailers = trailers;
  }

  pause(): void {
    this.#isPaused = true;
    this.#bound?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#bound?.resume();
  }

  abort(): void {
    if (this.isAborted) return;
    this.isAborted = true;
    if (this.#bound === null) this.#onAbort(this);
    else this.#bound.abort();
  }
}
