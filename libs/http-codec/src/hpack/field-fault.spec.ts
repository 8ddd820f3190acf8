import { once } from 'node:events';
import { connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { fieldSection, FrameReader, FrameType, HpackDecoder, PREFACE } from '../testing/index.ts';
import { findFieldFault } from './field-fault.ts';

/** The field section that `node:http2` sends, with Huffman coding and tables. */
async function sectionsOf(requests: readonly Record<string, string>[]): Promise<Buffer[]> {
  const sections: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    const reader = new FrameReader();
    let skip = PREFACE.length;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(skip, chunk.length);
      skip -= skipped;
      for (const { type, payload } of reader.read(chunk.subarray(skipped))) {
        if (type === FrameType.headers && sections.push(payload) === requests.length) resolve();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`); // a listening TCP server
  for (const headers of requests) session.request(headers).on('error', () => undefined);
  await promise;
  session.destroy();
  server.close();
  return sections;
}

describe('a field section', () => {
  it('as another implementation writes it is well-formed, by its Huffman codes and its tables', async () => {
    const every = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
    const fields = { 'x-every': `a${every}a`, "!#$%&'*+-.^_`|~09az": '', 'x-tab': 'a\tb', 'x-high': 'a\xe9\xffb' };
    const sections = await sectionsOf([fields, fields, { ...fields, 'x-more': '1'.repeat(300) }]);
    expect(sections.map(findFieldFault)).toEqual([null, null, null]);
    const decoder = new HpackDecoder();
    const decoded = sections.map((section) => Object.fromEntries(decoder.decode(section)));
    expect(decoded).toMatchObject([fields, fields, { 'x-more': '1'.repeat(300) }]);
  });

  it.each([
    ['a value with CR', 'x-a', 'a\rb', 'value'],
    ['a value with LF', 'x-a', 'a\nb', 'value'],
    ['a value with NUL', 'x-a', 'a\0b', 'value'],
    ['a value with DEL', 'x-a', 'a\x7fb', 'value'],
    ['a value that begins with a space', 'x-a', ' a', null],
    ['a value that ends with a tab', 'x-a', 'a\t', null],
    ['an empty name', '', 'a', 'name'],
    ['a name with a space', 'x a', 'a', 'name'],
    ['a name that ends with a space', 'x-a ', 'a', 'name'],
    ['a name with a colon', 'x:a', 'a', 'name'],
    ['a name with CR LF', 'x\r\na', 'a', 'name'],
    ['a name with 0xFF', 'x\xff', 'a', 'name'],
    ['a name with upper case', 'X-a', 'a', 'name'],
    ['a colon after the colon', ':x:a', 'a', 'name'],
    ['nothing wrong', 'x-a', 'a b\tc\xff', null],
    ['an empty value', 'x-a', '', null],
  ] as const)('%s', (_name, name, value, fault) => {
    const before = [':method', 'GET'] as const;
    expect(findFieldFault(fieldSection([before, [name, value], ['x-after', 'a']]))).toBe(fault);
  });

  it.each([
    ['a value with LF', [0x00, 0x01, 0x78, 0x84, 0xff, 0xff, 0xff, 0xf3], 'value'],
    ['an empty name', [0x00, 0x80, 0x01, 0x61], 'name'],
    ['a value that is a space', [0x00, 0x01, 0x78, 0x81, 0x53], null],
    ['a name with upper case', [0x00, 0x81, 0x87, 0x01, 0x61], 'name'],
    ['a value beside an indexed name', [0x0f, 0x01, 0x02, 0x61, 0x0a], 'value'],
  ] as const)('coded by Huffman or beside an index: %s', (_name, section, fault) => {
    expect(findFieldFault(Buffer.from(section))).toBe(fault);
  });

  it('that is cut short or no HPACK is not judged', () => {
    const whole = fieldSection([['x-a', 'a b']]);
    for (let length = 0; length < whole.length; length++) {
      expect(findFieldFault(whole.subarray(0, length))).toBe(null);
    }
    expect(findFieldFault(Buffer.alloc(40, 0xff))).toBe(null);
  });
});
