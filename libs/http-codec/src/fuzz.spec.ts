import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWithNode } from './testing-node-parser.ts';
import { byteByByte, cutAt, recordRequests, recordResponses } from './testing-recorder.ts';

const SEED = 20_260_101;
const RUNS = 300;

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const value = fc.stringMatching(/^[\t -~\x80-\xff]{0,20}$/);
const plainName = token.filter(
  (name) =>
    !/^(host|content-length|transfer-encoding|connection|keep-alive|proxy-connection|upgrade|te|expect)$/i.test(name),
);
const field = fc.tuple(plainName, value).map(([name, text]) => `${name}: ${text}\r\n`);
const chunk = fc
  .tuple(fc.stringMatching(/^[ -~]{1,30}$/), fc.constantFrom('', ';a', ';a=b', ';a="b c"'))
  .map(([data, extension]) => `${data.length.toString(16)}${extension}\r\n${data}\r\n`);
const body = fc.oneof(
  fc.constant({ fields: '', body: '' }),
  fc.stringMatching(/^[ -~]{0,40}$/).map((text) => ({ fields: `Content-Length: ${text.length}\r\n`, body: text })),
  fc.tuple(fc.array(chunk, { maxLength: 4 }), fc.array(field, { maxLength: 2 })).map(([chunks, trailers]) => ({
    fields: 'Transfer-Encoding: chunked\r\n',
    body: `${chunks.join('')}0\r\n${trailers.join('')}\r\n`,
  })),
);
const request = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'),
    fc.stringMatching(/^[!-~]{0,20}$/),
    fc.array(field, { maxLength: 6 }),
    body,
  )
  .map(
    ([method, path, fields, { fields: framing, body: content }]) =>
      `${method} /${path} HTTP/1.1\r\nHost: example\r\n${fields.join('')}${framing}\r\n${content}`,
  );
const response = fc
  .tuple(fc.integer({ min: 200, max: 599 }), fc.array(field, { maxLength: 6 }), body)
  .map(
    ([status, fields, { fields: framing, body: content }]) =>
      `HTTP/1.1 ${status} Reason\r\n${fields.join('')}${framing || 'Content-Length: 0\r\n'}\r\n${content}`,
  );

/** Changes a few bytes into ones that parsers get wrong. */
const mutation = fc.array(
  fc.tuple(fc.nat(), fc.constantFrom(0x00, 0x0a, 0x0d, 0x09, 0x20, 0x3a, 0x3b, 0x2c, 0x30, 0x2b, 0x7f, 0xff)),
  { maxLength: 3 },
);

function mutate(text: string, changes: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  for (const [position, byte] of changes) bytes[position % bytes.length] = byte;
  return bytes;
}

const settings = fuzz(RUNS, SEED);

describe('parsers under random input', () => {
  it('give the same for requests, however the input is cut', () => {
    const property = fc.property(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      mutation,
      fc.array(fc.nat(400), { maxLength: 5 }),
      (requests, changes, cuts) => {
        const input = mutate(requests.join(''), changes);
        const whole = recordRequests([input]);
        expect(recordRequests(byteByByte(input))).toEqual(whole);
        expect(recordRequests(cutAt(input, cuts))).toEqual(whole);
      },
    );
    fc.assert(property, settings);
  });

  it('give the same for responses, however the input is cut', () => {
    const property = fc.property(
      fc.array(response, { minLength: 1, maxLength: 3 }),
      mutation,
      fc.array(fc.nat(400), { maxLength: 5 }),
      (responses, changes, cuts) => {
        const input = mutate(responses.join(''), changes);
        const whole = recordResponses([input], ['GET'], { finish: true });
        expect(recordResponses(byteByByte(input), ['GET'], { finish: true })).toEqual(whole);
        expect(recordResponses(cutAt(input, cuts), ['GET'], { finish: true })).toEqual(whole);
      },
    );
    fc.assert(property, settings);
  });

  it('never throw and never loop on bytes without sense', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      recordRequests([Buffer.from(bytes)], { finish: true, acceptHttp10: true });
      recordResponses([Buffer.from(bytes)], ['GET'], { finish: true });
    });
    fc.assert(property, settings);
  });
});

describe('what is accepted', () => {
  it("is understood as Node's own parser understands it", async () => {
    const property = fc.asyncProperty(request, mutation, async (text, changes) => {
      const input = mutate(text, changes);
      const [ours, second] = recordRequests([input]);
      if (ours?.kind !== 'request' || !ours.isWhole || second !== undefined) return;
      const theirs = await parseWithNode(input);
      // Node may refuse more (it knows a list of methods); it must not read anything else from the same bytes.
      if (theirs === null) return;
      expect({ method: ours.head.method, target: ours.head.target, body: ours.body }).toEqual({
        method: theirs.method,
        target: theirs.target,
        body: theirs.body,
      });
      const hidden = /^(host|transfer-encoding|connection|keep-alive|proxy-connection|upgrade|te|expect)$/;
      const fields = theirs.fields.filter((_, index) => !hidden.test(theirs.fields[index - (index % 2)] ?? ''));
      const { flat } = ours.head.headers;
      expect(flat.filter((_, index) => !hidden.test(flat[index - (index % 2)] ?? ''))).toEqual(fields);
    });
    await fc.assert(property, fuzz(200, SEED));
  });
});
