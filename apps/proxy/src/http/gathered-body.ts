import type { HeaderList } from '@flotilla/http-codec';
import type { BodySink } from '../ports/body-sink.ts';

/** Keeps a body until it is whole, up to `limitBytes`. Calls `onWhole` or, once, `onOverflow`. */
export class GatheredBody implements BodySink {
  readonly #limitBytes: number;
  readonly #onOverflow: () => void;
  readonly #onWhole: (chunks: readonly Buffer[], bytes: number, trailers: HeaderList | null) => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    limitBytes: number,
    onOverflow: () => void,
    onWhole: (chunks: readonly Buffer[], bytes: number, trailers: HeaderList | null) => void,
  ) {
    this.#limitBytes = limitBytes;
    this.#onOverflow = onOverflow;
    this.#onWhole = onWhole;
  }

  data(chunk: Buffer): void {
    if (this.#bytes > this.#limitBytes) return;
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#limitBytes) this.#chunks.push(chunk);
    else {
      this.#chunks.length = 0;
      this.#onOverflow();
    }
  }

  end(trailers: HeaderList | null): void {
    if (this.#bytes <= this.#limitBytes) this.#onWhole(this.#chunks, this.#bytes, trailers);
  }
}
