import type { HeaderList } from '@flotilla/http-codec';

/** A request body kept while it may have to be sent again, up to a limit. */
export class BodyBuffer {
  readonly chunks: Buffer[] = [];
  trailers: HeaderList | null = null;
  isEnded = false;
  #bytes = 0;
  #hasOverflowed = false;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The whole of what came so far is here. */
  get isComplete(): boolean {
    return !this.#hasOverflowed;
  }

  push(chunk: Buffer): void {
    if (this.#hasOverflowed) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limitBytes) {
      this.#hasOverflowed = true;
      this.chunks.length = 0;
    } else this.chunks.push(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.isEnded = true;
    this.trailers = trailers;
  }
}
