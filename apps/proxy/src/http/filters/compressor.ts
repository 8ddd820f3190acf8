import type { HeaderList } from '@flotilla/http-codec';
import {
  type Compressor as CompressorProto,
  type Compressor_CommonDirectionConfig as DirectionProto,
  CompressorPerRouteSchema,
  CompressorSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/compressor/v3/compressor_pb.js';
import type { Counter } from '../../base/stats.ts';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';
import { acceptsEncoding } from './compression/accept-encoding.ts';
import { CodedBody } from './compression/coded-body.ts';
import { compileCompressor, type CompressionLibrary } from './compression/library.ts';

const DEFAULT_MIN_BYTES = 30;

const DEFAULT_TYPES: readonly string[] = [
  'application/javascript',
  'application/json',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/css',
  'text/html',
  'text/plain',
  'text/xml',
];

interface Direction {
  readonly isEnabled: boolean;
  readonly minBytes: number;
  readonly types: ReadonlySet<string>;
  readonly stats: DirectionStats;
}

interface DirectionStats {
  readonly compressed: Counter;
  readonly notCompressed: Counter;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
  readonly tooSmall: Counter;
}

interface Settings {
  readonly library: CompressionLibrary;
  /** Null: requests pass as they are. */
  readonly request: Direction | null;
  readonly response: Direction;
  readonly skipsEtag: boolean;
  readonly removesAcceptEncoding: boolean;
}

/** What a route changes; null where it leaves the filter's setting. */
interface RouteOverrides {
  readonly isDisabled: boolean;
  readonly removesAcceptEncoding: boolean | null;
}

/** Compresses bodies for clients (and upstreams) that take them so. */
export function compileCompressorFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const settings = settingsOf(messageOf(typed, CompressorSchema), scope);
  return {
    name,
    record: null,
    bind(perRoute) {
      if (perRoute === undefined) return () => new CompressorFilter(settings);
      const overrides = perRoute as RouteOverrides; // made by compileCompressorRoute
      const removesAcceptEncoding = overrides.removesAcceptEncoding ?? settings.removesAcceptEncoding;
      const response = { ...settings.response, isEnabled: settings.response.isEnabled && !overrides.isDisabled };
      const own = { ...settings, response, removesAcceptEncoding };
      return () => new CompressorFilter(own);
    },
  };
}

/** Compiles a `CompressorPerRoute`. Throws `invalid`. */
export function compileCompressorRoute(typed: FilterConfig): RouteOverrides {
  const { override } = messageOf(typed, CompressorPerRouteSchema);
  switch (override.case) {
    case 'disabled':
      return { isDisabled: true, removesAcceptEncoding: null };
    case 'overrides':
      return {
        isDisabled: false,
        removesAcceptEncoding: override.value.responseDirectionConfig?.removeAcceptEncodingHeader ?? null,
      };
    case undefined:
      return refuse('compressor', 'says neither disabled nor overrides');
  }
}

function settingsOf(proto: CompressorProto, scope: HttpFilterScope): Settings {
  const library = compileCompressor(proto.compressorLibrary, 'compressor_library');
  const prefix = `${scope.statPrefix}compressor.${proto.compressorLibrary?.name ?? ''}.${library.statName}.`;
  const response = proto.responseDirectionConfig;
  const request = proto.requestDirectionConfig;
  // The older fields of the filter itself count where no direction is set (Envoy).
  const isOld = response === undefined && request === undefined;
  const older = {
    minContentLength: proto.contentLength,
    contentType: proto.contentType,
    enabled: proto.runtimeEnabled,
  };
  return {
    library,
    request: request === undefined ? null : directionOf(request.commonConfig, false, `${prefix}request.`, scope),
    response: directionOf(isOld ? older : response?.commonConfig, true, isOld ? prefix : `${prefix}response.`, scope),
    skipsEtag: response?.disableOnEtagHeader ?? proto.disableOnEtagHeader,
    removesAcceptEncoding: response?.removeAcceptEncodingHeader ?? proto.removeAcceptEncodingHeader,
  };
}

function directionOf(
  common: Pick<DirectionProto, 'minContentLength' | 'contentType' | 'enabled'> | undefined,
  isOnByDefault: boolean,
  prefix: string,
  { ctx: { stats } }: HttpFilterScope,
): Direction {
  const types = common?.contentType ?? [];
  return {
    isEnabled: common?.enabled?.defaultValue ?? isOnByDefault,
    minBytes: Math.max(common?.minContentLength ?? DEFAULT_MIN_BYTES, 1),
    types: new Set((types.length === 0 ? DEFAULT_TYPES : types).map((type) => type.toLowerCase())),
    stats: {
      compressed: stats.counter(`${prefix}compressed`),
      notCompressed: stats.counter(`${prefix}not_compressed`),
      bytesIn: stats.counter(`${prefix}total_uncompressed_bytes`),
      bytesOut: stats.counter(`${prefix}total_compressed_bytes`),
      tooSmall: stats.counter(`${prefix}content_length_too_small`),
    },
  };
}

class CompressorFilter implements HttpFilter {
  readonly #settings: Settings;
  #accepts: string | undefined;
  #compressesRequest = false;
  #compressesResponse = false;
  readonly #open: { readonly body: CodedBody; readonly stats: DirectionStats }[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { headers } = stream.request;
    const { request, library } = this.#settings;
    this.#accepts = headers.getCombined('accept-encoding');
    if (this.#settings.removesAcceptEncoding && this.#settings.response.isEnabled) headers.remove('accept-encoding');
    if (request === null || !request.isEnabled || stream.requestBodySize === 'none') return 'continue';
    this.#compressesRequest = isLargeEnough(headers, request) && isCompressible(headers, request);
    if (!this.#compressesRequest) {
      request.stats.notCompressed.value += 1;
      return 'continue';
    }
    request.stats.compressed.value += 1;
    headers.set('content-encoding', library.encoding);
    headers.remove('content-length');
    stream.requestBodySize = 'chunked';
    return 'continue';
  }

  requestBody(stream: FilterStream, next: BodySink): BodySink | null {
    const { request } = this.#settings;
    if (!this.#compressesRequest || request === null) return null;
    return this.#code(request.stats, next, {
      hold: () => stream.holdRequest(this),
      release: () => stream.releaseRequest(this),
    });
  }

  onResponse(_stream: FilterStream, head: ResponseHead): FilterVerdict {
    const { response, library } = this.#settings;
    const { headers } = head;
    if (head.status === 101) return 'continue';
    const isLarge = response.isEnabled && isLargeEnough(headers, response);
    const isPossible = isLarge && isCompressible(headers, response) && this.#allowsEtag(headers);
    this.#compressesResponse = head.hasBody && isPossible && acceptsEncoding(this.#accepts, library.encoding);
    if (this.#compressesResponse) {
      response.stats.compressed.value += 1;
      // A strong tag names the bytes as they were (RFC 9110, section 8.8.1).
      if (headers.get('etag')?.startsWith('W/') === false) headers.remove('etag');
      headers.remove('content-length');
      headers.set('content-encoding', library.encoding);
    } else response.stats.notCompressed.value += 1;
    // Caches learn that there is a compressed form even where this client does not take it.
    if (isPossible) varyByEncoding(headers);
    return 'continue';
  }

  responseBody(stream: FilterStream, next: BodySink): BodySink | null {
    if (!this.#compressesResponse) return null;
    return this.#code(this.#settings.response.stats, next, {
      hold: () => stream.holdResponse(this),
      release: () => stream.releaseResponse(this),
    });
  }

  onEnd(): void {
    for (const { body, stats } of this.#open) {
      stats.bytesIn.value += body.bytesIn;
      stats.bytesOut.value += body.bytesOut;
      body.close();
    }
  }

  #allowsEtag(headers: HeaderList): boolean {
    return !this.#settings.skipsEtag || !headers.has('etag');
  }

  #code(stats: DirectionStats, next: BodySink, brake: { hold(): void; release(): void }): BodySink {
    // Compressing has no input that it refuses.
    const body = new CodedBody(this.#settings.library, next, { ...brake, fail: () => undefined });
    this.#open.push({ body, stats });
    return body;
  }
}

function isLargeEnough(headers: HeaderList, { minBytes, stats }: Direction): boolean {
  const length = headers.get('content-length');
  const isLarge = length === undefined || Number(length) >= minBytes;
  if (!isLarge) stats.tooSmall.value += 1;
  return isLarge;
}

function isCompressible(headers: HeaderList, { types }: Direction): boolean {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && !types.has(type)) return false;
  if (headers.has('content-encoding')) return false;
  return !/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(headers.getCombined('cache-control') ?? '');
}

function varyByEncoding(headers: HeaderList): void {
  const vary = headers.getCombined('vary');
  if (vary === undefined || vary === '') headers.set('vary', 'Accept-Encoding');
  else if (vary !== '*' && !/accept-encoding/i.test(vary)) headers.set('vary', `${vary}, Accept-Encoding`);
}
