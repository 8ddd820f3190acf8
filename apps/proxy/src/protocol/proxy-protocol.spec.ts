import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProxyHeader, parseProxyHeader } from './proxy-protocol.ts';

const port = fc.nat(65_535);
const endpoints = (host: fc.Arbitrary<string>) =>
  fc.record({ source: fc.record({ host, port }), destination: fc.record({ host, port }) });
const addresses = fc.oneof(endpoints(fc.ipV4()), endpoints(fc.constantFrom('::1', '2001:db8::1', 'fe80::a:b')));

describe('a PROXY header', () => {
  it('is read as it was written, whatever follows, and not before it is whole', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, 2 as const),
        fc.option(addresses),
        fc.uint8Array(),
        (version, given, rest) => {
          const header = formatProxyHeader(version, given);
          expect(parseProxyHeader(Buffer.concat([header, rest]))).toEqual({
            version,
            size: header.length,
            addresses: given,
          });
          for (let length = 1; length < header.length; length++) {
            expect(parseProxyHeader(header.subarray(0, length))).toBe('incomplete');
          }
        },
      ),
      fuzz(200),
    );
  });

  it.each([
    'PROXY TCP4 nonsense\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1000 70000\r\n',
    'PROXY TCP6 1.2.3.4 5.6.7.8 1000 2000\r\n',
    'PROXY TCP4 1.2.3.4  5.6.7.8 1000 2000\r\n',
    'PROXY UDP4 1.2.3.4 5.6.7.8 1000 2000\r\n',
    `PROXY TCP4 ${'1'.repeat(120)}`,
  ])('%j is refused', (text) => {
    expect(parseProxyHeader(Buffer.from(text))).toEqual({ malformed: 1 });
  });

  it.each([
    ['another version', '31', '11', '000c'],
    ['another command', '22', '11', '000c'],
    ['a Unix socket', '21', '31', '00d8'],
    ['too few bytes of addresses', '21', '11', '0008'],
    ['more than is kept', '21', '11', 'ffff'],
  ])('%s is refused', (_, command, family, length) => {
    const header = `0d0a0d0a000d0a515549540a${command}${family}${length}`;
    expect(parseProxyHeader(Buffer.from(header + '00'.repeat(300), 'hex'))).toEqual({ malformed: 2 });
  });

  it('is none in other bytes', () => {
    for (const text of ['GET / HTTP/1.1\r\n', 'PROXX', '\x16\x03\x01', '\r\n\r\nx']) {
      expect(parseProxyHeader(Buffer.from(text, 'latin1'))).toBe('none');
    }
  });

  it('may be any bytes', () => {
    const prefix = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUIT\n', '\r\n\r\n\0\r\nQUIT\n\x21\x11');
    fc.assert(
      fc.property(prefix, fc.uint8Array({ maxLength: 200 }), (start, rest) => {
        const bytes = Buffer.concat([Buffer.from(start, 'latin1'), rest]);
        const parsed = parseProxyHeader(bytes);
        if (typeof parsed === 'object' && 'size' in parsed) expect(parsed.size).toBeLessThanOrEqual(bytes.length);
      }),
      fuzz(2_000),
    );
  });
});
