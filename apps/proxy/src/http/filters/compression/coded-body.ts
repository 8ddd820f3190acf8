import type { HeaderList } from '@flotilla/http-codec';
import type { BodySink } from '../../../ports/body-sink.ts';
import type { CompressionLibrary, FlushableTransform } from './library.ts';

/** Who sends waits while a piece is worked on. */
export interface BodyFlow {
  hold(): void;
  release(): void;
  /** The body cannot be coded on; `data` is lost from here. */
  fail(error: Error): void;
}

/**
 * Sends a body through a compressing or decompressing stream. Each piece comes out before the next one is asked for, so
 * that a body in small steps keeps its steps.
 */
export class CodedBody implements BodySink {
  readonly #stream: FlushableTransform;
  readonly #next: BodySink;
  readonly #flow: BodyFlow;
  #trailers: HeaderList | null = null;
  #pending = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(library: CompressionLibrary, next: BodySink, flow: BodyFlow) {
    const stream = library.open();
    this.#stream = stream;
    this.#next = next;
    this.#flow = flow;
    stream.on('data', (chunk: Buffer) => {
      this.bytesOut += chunk.length;
      if (this.bytesOut > this.bytesIn * library.maxRatio) {
        stream.destroy(new Error(`it grows by more than ${library.maxRatio} times`));
        return;
      }
      next.data(chunk);
    });
    stream.once('end', () => this.#next.end(this.#trailers));
    stream.on('error', (error) => flow.fail(error));
  }

  data(chunk: Buffer): void {
    this.bytesIn += chunk.length;
    this.#pending += 1;
    if (this.#pending === 1) this.#flow.hold();
    this.#stream.write(chunk);
    this.#stream.flush(() => this.#done());
  }

  end(trailers: HeaderList | null): void {
    this.#trailers = trailers;
    this.#stream.end();
  }

  /** The exchange is over. */
  close(): void {
    this.#stream.destroy();
  }

  #done(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#flow.release();
  }
}
