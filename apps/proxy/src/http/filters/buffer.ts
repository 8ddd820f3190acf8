import {
  BufferPerRouteSchema,
  BufferSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/buffer/v3/buffer_pb.js';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { GatheredBody } from '../gathered-body.ts';
import { payloadTooLarge } from '../local-reply.ts';
import { refuse } from '@flotilla/envoy';
import { type FilterConfig, messageOf } from './filter-config.ts';

/** Null: requests pass unbuffered. */
type BufferLimit = { readonly maxBytes: number } | null;

/** Keeps each request until it is whole; what is too large is refused. */
export function compileBufferFilter(name: string, typed: FilterConfig): FilterFactory {
  const own = limitOf(messageOf(typed, BufferSchema).maxRequestBytes);
  return {
    name,
    record: null,
    bind(perRoute) {
      const limit = perRoute === undefined ? own : (perRoute as BufferLimit); // made by compileBufferRoute
      return limit === null ? null : () => new BufferFilter(limit.maxBytes);
    },
  };
}

/** Compiles a `BufferPerRoute`. Throws `invalid`. */
export function compileBufferRoute(typed: FilterConfig): BufferLimit {
  const { override } = messageOf(typed, BufferPerRouteSchema);
  switch (override.case) {
    case 'disabled':
      return null;
    case 'buffer':
      return limitOf(override.value.maxRequestBytes);
    case undefined:
      return refuse('buffer', 'says neither disabled nor buffer');
  }
}

function limitOf(maxBytes: number | undefined): { readonly maxBytes: number } {
  if (maxBytes === undefined || maxBytes === 0) return refuse('max_request_bytes', 'is missing or 0');
  return { maxBytes };
}

class BufferFilter implements HttpFilter {
  readonly #maxBytes: number;
  #isHeld = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    this.#isHeld = stream.requestBodySize !== 'none';
    return this.#isHeld ? 'stop' : 'continue';
  }

  requestBody(stream: FilterStream, next: BodySink): BodySink | null {
    if (!this.#isHeld) return null;
    return new GatheredBody(
      this.#maxBytes,
      () => stream.sendLocalReply(payloadTooLarge),
      (chunks, bytes, trailers) => {
        // With trailers it stays chunked: only those can carry them.
        if (trailers === null) stream.requestBodySize = bytes;
        for (const chunk of chunks) next.data(chunk);
        next.end(trailers);
        stream.continueRequest();
      },
    );
  }
}
