import { gzipSync } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { TypedExtensionConfigSchema } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { GzipSchema } from '@flotilla/wire/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb.js';
import { describe, expect, it } from 'vitest';
import { CodedBody } from './coded-body.ts';
import { compileDecompressor } from './library.ts';

const gunzip = compileDecompressor(
  create(TypedExtensionConfigSchema, { name: 'g', typedConfig: anyPack(GzipSchema, create(GzipSchema)) }),
  'library',
);

/** Sends bytes through; gives what came out, or why nothing more did. */
function decode(pieces: readonly Buffer[]): Promise<{ readonly text: string } | { readonly failure: string }> {
  return new Promise((resolve) => {
    const out: Buffer[] = [];
    const body = new CodedBody(
      gunzip,
      { data: (chunk) => void out.push(chunk), end: () => resolve({ text: Buffer.concat(out).toString() }) },
      { hold: () => undefined, release: () => undefined, fail: (error) => resolve({ failure: error.message }) },
    );
    for (const piece of pieces) body.data(piece);
    body.end(null);
  });
}

describe('a compressed body', () => {
  it('comes out as it was, however it is cut', async () => {
    const bytes = gzipSync('hello, hello, hello');
    const pieces = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1));
    expect(await decode(pieces)).toEqual({ text: 'hello, hello, hello' });
  });

  it('that is none is given up', async () => {
    expect(await decode([Buffer.from('this is not gzip'), Buffer.from('nor is this')])).toEqual({
      failure: 'incorrect header check',
    });
  });

  it('that grows too much is given up', async () => {
    expect(await decode([gzipSync(Buffer.alloc(5_000_000))])).toEqual({ failure: 'it grows by more than 100 times' });
  });
});
