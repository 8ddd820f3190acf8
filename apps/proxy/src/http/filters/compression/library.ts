import type { Transform } from 'node:stream';
import {
  type BrotliOptions,
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
  type ZlibOptions,
} from 'node:zlib';
import type { TypedExtensionConfig } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { BrotliSchema } from '@flotilla/wire/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.js';
import { BrotliSchema as BrotliDecoderSchema } from '@flotilla/wire/envoy/extensions/compression/brotli/decompressor/v3/brotli_pb.js';
import { type Gzip, GzipSchema } from '@flotilla/wire/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.js';
import { GzipSchema as GzipDecoderSchema } from '@flotilla/wire/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb.js';
import { ZstdSchema } from '@flotilla/wire/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.js';
import { ZstdSchema as ZstdDecoderSchema } from '@flotilla/wire/envoy/extensions/compression/zstd/decompressor/v3/zstd_pb.js';
import { limit } from '@flotilla/runtime';
import { refuse, unpackValid } from '@flotilla/envoy';

/** A way to encode bodies: what `content-encoding` calls it, and its streams. */
export interface CompressionLibrary {
  readonly encoding: 'gzip' | 'br' | 'zstd';
  /** The library's part in names of statistics, as Envoy has it. */
  readonly statName: 'gzip' | 'brotli' | 'zstd';
  /** More bytes out than so many times those that went in: a bomb. Infinity for compressors. */
  readonly maxRatio: number;
  /** Opens a stream; `flush` makes everything written so far come out. */
  open(): FlushableTransform;
}

export interface FlushableTransform extends Transform {
  flush(callback?: () => void): void;
}

const DEFAULT_CHUNK_BYTES = 4096;
/** Envoy's default of `max_inflate_ratio`. */
const DEFAULT_MAX_RATIO = limit({
  name: 'proxy.inflate-ratio',
  what: 'bytes that one compressed byte may become (as Envoy)',
  default: 100,
  unit: 'count',
  setting: '`max_inflate_ratio`',
  past: 'the body is refused',
});

/** Compiles `compressor_library`. Throws `invalid` for an unknown one. */
export function compileCompressor(config: TypedExtensionConfig | undefined, path: string): CompressionLibrary {
  const any = config?.typedConfig;
  if (any === undefined) return refuse(path, 'is missing');
  const gzip = unpackValid(any, GzipSchema);
  if (gzip !== undefined) {
    const options = gzipOptions(gzip);
    return { encoding: 'gzip', statName: 'gzip', maxRatio: Infinity, open: () => createGzip(options) };
  }
  const brotli = unpackValid(any, BrotliSchema);
  if (brotli !== undefined) {
    const options: BrotliOptions = {
      chunkSize: brotli.chunkSize ?? DEFAULT_CHUNK_BYTES,
      params: {
        [constants.BROTLI_PARAM_QUALITY]: brotli.quality ?? 3,
        [constants.BROTLI_PARAM_MODE]: BROTLI_MODES[brotli.encoderMode] ?? constants.BROTLI_MODE_GENERIC,
        [constants.BROTLI_PARAM_LGWIN]: brotli.windowBits ?? 18,
        [constants.BROTLI_PARAM_LGBLOCK]: brotli.inputBlockBits ?? 24,
        [constants.BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING]: brotli.disableLiteralContextModeling,
      },
    };
    return { encoding: 'br', statName: 'brotli', maxRatio: Infinity, open: () => createBrotliCompress(options) };
  }
  const zstd = unpackValid(any, ZstdSchema);
  if (zstd !== undefined) {
    const options = {
      chunkSize: zstd.chunkSize ?? DEFAULT_CHUNK_BYTES,
      params: {
        [constants.ZSTD_c_compressionLevel]: zstd.compressionLevel ?? 3,
        [constants.ZSTD_c_checksumFlag]: zstd.enableChecksum,
        [constants.ZSTD_c_strategy]: zstd.strategy,
      },
    };
    return { encoding: 'zstd', statName: 'zstd', maxRatio: Infinity, open: () => createZstdCompress(options) };
  }
  return refuse(path, `${any.typeUrl} is not supported`, 'Supported: gzip, brotli, zstd.');
}

/** Compiles `decompressor_library`. Throws `invalid` for an unknown one. */
export function compileDecompressor(config: TypedExtensionConfig | undefined, path: string): CompressionLibrary {
  const any = config?.typedConfig;
  if (any === undefined) return refuse(path, 'is missing');
  const gzip = unpackValid(any, GzipDecoderSchema);
  if (gzip !== undefined) {
    const chunkSize = gzip.chunkSize ?? DEFAULT_CHUNK_BYTES;
    const windowBits = gzip.windowBits ?? 15;
    const maxRatio = gzip.maxInflateRatio ?? DEFAULT_MAX_RATIO;
    return { encoding: 'gzip', statName: 'gzip', maxRatio, open: () => createGunzip({ chunkSize, windowBits }) };
  }
  const brotli = unpackValid(any, BrotliDecoderSchema);
  if (brotli !== undefined) {
    const chunkSize = brotli.chunkSize ?? DEFAULT_CHUNK_BYTES;
    const open = (): FlushableTransform => createBrotliDecompress({ chunkSize });
    return { encoding: 'br', statName: 'brotli', maxRatio: DEFAULT_MAX_RATIO, open };
  }
  const zstd = unpackValid(any, ZstdDecoderSchema);
  if (zstd !== undefined) {
    const chunkSize = zstd.chunkSize ?? DEFAULT_CHUNK_BYTES;
    const open = (): FlushableTransform => createZstdDecompress({ chunkSize });
    return { encoding: 'zstd', statName: 'zstd', maxRatio: DEFAULT_MAX_RATIO, open };
  }
  return refuse(path, `${any.typeUrl} is not supported`, 'Supported: gzip, brotli, zstd.');
}

function gzipOptions(gzip: Gzip): ZlibOptions {
  return {
    memLevel: gzip.memoryLevel ?? 5,
    level: gzip.compressionLevel === 0 ? constants.Z_DEFAULT_COMPRESSION : gzip.compressionLevel,
    strategy: GZIP_STRATEGIES[gzip.compressionStrategy] ?? constants.Z_DEFAULT_STRATEGY,
    windowBits: gzip.windowBits ?? 12,
    chunkSize: gzip.chunkSize ?? DEFAULT_CHUNK_BYTES,
  };
}

/** By the number of the strategy in the configuration. */
const GZIP_STRATEGIES: readonly number[] = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_FILTERED,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
  constants.Z_FIXED,
];

/** By the number of the mode in the configuration. */
const BROTLI_MODES: readonly number[] = [
  constants.BROTLI_MODE_GENERIC,
  constants.BROTLI_MODE_GENERIC,
  constants.BROTLI_MODE_TEXT,
  constants.BROTLI_MODE_FONT,
];
