import type { RequestHead } from './request-parser.ts';
import { createRequestParser, type RequestParserOptions } from './request-parser.ts';
import { createResponseParser, type ResponseHead, type ResponseParserOptions } from './response-parser.ts';

/** A message as a parser delivered it, in a form that compares: body joined, whatever the chunks were. */
export type Recorded =
  | {
      readonly kind: 'request';
      readonly head: RequestHead;
      body: string;
      trailers: readonly string[] | null;
      isWhole: boolean;
    }
  | {
      readonly kind: 'response';
      readonly head: ResponseHead;
      body: string;
      trailers: readonly string[] | null;
      isWhole: boolean;
    }
  | { readonly kind: 'informational'; readonly status: number; readonly fields: readonly string[] }
  | { readonly kind: 'error'; readonly code: string };

/** Feeds pieces of input to a request parser that goes on after every message. For tests. */
export function recordRequests(
  pieces: Iterable<Buffer>,
  options: RequestParserOptions & { readonly finish?: boolean } = {},
): Recorded[] {
  const recorded: Recorded[] = [];
  const parser = createRequestParser(
    {
      onHead: (head) => void recorded.push({ kind: 'request', head, body: '', trailers: null, isWhole: false }),
      ...bodyHandler(recorded, () => parser.next()),
    },
    options,
  );
  for (const piece of pieces) parser.feed(piece);
  if (options.finish === true) parser.finish();
  return recorded;
}

/** As `recordRequests`, for the responses to requests of these methods (the last one for all that follow). */
export function recordResponses(
  pieces: Iterable<Buffer>,
  methods: readonly string[] = ['GET'],
  options: ResponseParserOptions & { readonly finish?: boolean; readonly isUpgrade?: boolean } = {},
): Recorded[] {
  const recorded: Recorded[] = [];
  let next = 0;
  const expect = () =>
    parser.expect(methods[Math.min(next++, methods.length - 1)] ?? 'GET', options.isUpgrade === true);
  const parser = createResponseParser(
    {
      onInformational: (status, headers) =>
        void recorded.push({ kind: 'informational', status, fields: [...headers.flat] }),
      onHead: (head) => void recorded.push({ kind: 'response', head, body: '', trailers: null, isWhole: false }),
      ...bodyHandler(recorded, expect),
    },
    options,
  );
  expect();
  for (const piece of pieces) {
    // Lent, as by a proxy that reads everything into the same memory.
    const lent = Buffer.from(piece);
    parser.feed(lent, true);
    lent.fill(0xdb);
  }
  if (options.finish === true) parser.finish();
  return recorded;
}

function bodyHandler(recorded: Recorded[], next: () => void) {
  const current = () => {
    const last = recorded.at(-1);
    if (last === undefined || !('body' in last)) throw new Error('a body without a head');
    return last;
  };
  return {
    onData(chunk: Buffer) {
      current().body += chunk.toString('latin1');
    },
    onEnd(trailers: { readonly flat: readonly string[] } | null) {
      const message = current();
      if (message.isWhole) throw new Error('a second end');
      message.isWhole = true;
      message.trailers = trailers === null ? null : [...trailers.flat];
      next();
    },
    onError(error: { readonly code: string }) {
      recorded.push({ kind: 'error', code: error.code });
    },
  };
}

/** The input in pieces of one byte. */
export function* byteByByte(input: Buffer): Iterable<Buffer> {
  for (let at = 0; at < input.length; at++) yield input.subarray(at, at + 1);
}

/** The input cut at these positions. */
export function* cutAt(input: Buffer, positions: readonly number[]): Iterable<Buffer> {
  let start = 0;
  for (const position of [...positions].sort((a, b) => a - b)) {
    if (position <= start || position >= input.length) continue;
    yield input.subarray(start, position);
    start = position;
  }
  yield input.subarray(start);
}
