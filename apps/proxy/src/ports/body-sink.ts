import type { HeaderList } from '@flotilla/http-codec';

/** Takes a body piece by piece. Nothing comes after `end`. */
export interface BodySink {
  data(chunk: Buffer): void;
  /** Trailers, null for none. */
  end(trailers: HeaderList | null): void;
}
