import { connect as connectTls } from 'node:tls';
import { Duplex } from 'node:stream';
import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClientHello } from './client-hello.ts';

/** The bytes that Node's TLS client begins with. */
function helloOf(options: { readonly servername?: string; readonly ALPNProtocols?: string[] }): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        resolve(chunk);
        callback();
      },
    });
    connectTls({ socket, ...options }).on('error', () => undefined);
  });
}

/** The same handshake bytes in records of at most `size`. */
function inRecords(hello: Buffer, size: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    const header = Buffer.from(hello.subarray(0, 5));
    header.writeUInt16BE(part.length, 3);
    records.push(header, part);
  }
  return Buffer.concat(records);
}

describe('a ClientHello', () => {
  it('tells server name and protocols', async () => {
    const hello = await helloOf({ servername: 'Outbound_.80.example.com', ALPNProtocols: ['istio', 'http/1.1'] });
    expect(parseClientHello(hello)).toEqual({ serverName: 'outbound_.80.example.com', alpn: ['istio', 'http/1.1'] });
  });

  it('may tell neither', async () => {
    expect(parseClientHello(await helloOf({}))).toEqual({ serverName: null, alpn: [] });
  });

  it('may come in several records', async () => {
    const hello = await helloOf({ servername: 'a.b', ALPNProtocols: ['h2'] });
    expect(parseClientHello(inRecords(hello, 20))).toEqual({ serverName: 'a.b', alpn: ['h2'] });
  });

  it('is incomplete until its last byte is there', async () => {
    const hello = await helloOf({ servername: 'a.b' });
    for (let length = 0; length < hello.length; length++) {
      expect(parseClientHello(hello.subarray(0, length))).toBe('incomplete');
    }
  });

  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['another TLS record', '\x17\x03\x03\x00\x01\x00'],
    ['a ServerHello', '\x16\x03\x03\x00\x04\x02\x00\x00\x00'],
    ['a record of no length', '\x16\x03\x03\x00\x00'],
    ['SSL 2', '\x80\x2e\x01\x03\x01'],
  ])('is not %s', (_name, text) => {
    expect(parseClientHello(Buffer.from(text, 'latin1'))).toBe('not-tls');
  });

  it('never throws, whatever bytes change', async () => {
    const hello = await helloOf({ servername: 'a.example', ALPNProtocols: ['h2', 'http/1.1'] });
    const changes = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    const property = fc.property(changes, fc.nat(hello.length), (list, length) => {
      const bytes = Buffer.from(hello);
      for (const [position, byte] of list) bytes[position] = byte;
      parseClientHello(bytes.subarray(0, length));
    });
    fc.assert(property, fuzz(2_000, 7));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseClientHello(Buffer.from(bytes))),
      fuzz(2_000, 7),
    );
  });
});
