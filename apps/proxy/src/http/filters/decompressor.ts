import type { HeaderList } from '@flotilla/http-codec';
import {
  type Decompressor as DecompressorProto,
  type Decompressor_CommonDirectionConfig as DirectionProto,
  DecompressorSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/decompressor/v3/decompressor_pb.js';
import type { Counter } from '../../base/stats.ts';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';
import { CodedBody } from './compression/coded-body.ts';
import { compileDecompressor, type CompressionLibrary } from './compression/library.ts';

interface Direction {
  readonly isEnabled: boolean;
  readonly ignoresNoTransform: boolean;
  readonly decompressed: Counter;
  readonly notDecompressed: Counter;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
}

interface Settings {
  readonly library: CompressionLibrary;
  readonly request: Direction;
  readonly response: Direction;
  /** Tell upstreams that this coding is welcome. */
  readonly advertises: boolean;
}

/** Decompresses bodies before the peer gets them. */
export function compileDecompressorFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const settings = settingsOf(messageOf(typed, DecompressorSchema), scope);
  return { name, record: null, bind: () => () => new DecompressorFilter(settings) };
}

function settingsOf(proto: DecompressorProto, scope: HttpFilterScope): Settings {
  const library = compileDecompressor(proto.decompressorLibrary, 'decompressor_library');
  const prefix = `${scope.statPrefix}decompressor.${proto.decompressorLibrary?.name ?? ''}.${library.statName}.`;
  return {
    library,
    request: directionOf(proto.requestDirectionConfig?.commonConfig, `${prefix}request.`, scope),
    response: directionOf(proto.responseDirectionConfig?.commonConfig, `${prefix}response.`, scope),
    advertises: proto.requestDirectionConfig?.advertiseAcceptEncoding ?? true,
  };
}

function directionOf(
  common: DirectionProto | undefined,
  prefix: string,
  { ctx: { stats } }: HttpFilterScope,
): Direction {
  return {
    isEnabled: common?.enabled?.defaultValue ?? true,
    ignoresNoTransform: common?.ignoreNoTransformHeader ?? false,
    decompressed: stats.counter(`${prefix}decompressed`),
    notDecompressed: stats.counter(`${prefix}not_decompressed`),
    bytesIn: stats.counter(`${prefix}total_compressed_bytes`),
    bytesOut: stats.counter(`${prefix}total_uncompressed_bytes`),
  };
}

class DecompressorFilter implements HttpFilter {
  readonly #settings: Settings;
  #decodesRequest = false;
  #decodesResponse = false;
  readonly #open: { readonly body: CodedBody; readonly direction: Direction }[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { request, library, advertises } = this.#settings;
    const { headers } = stream.request;
    if (advertises && this.#settings.response.isEnabled) advertise(headers, library.encoding);
    if (stream.requestBodySize === 'none') return 'continue';
    this.#decodesRequest = this.#decodes(headers, request);
    if (this.#decodesRequest) stream.requestBodySize = 'chunked';
    return 'continue';
  }

  requestBody(stream: FilterStream, next: BodySink): BodySink | null {
    if (!this.#decodesRequest) return null;
    const flow = { hold: () => stream.holdRequest(this), release: () => stream.releaseRequest(this) };
    return this.#decode(stream, this.#settings.request, next, flow);
  }

  onResponse(_stream: FilterStream, head: ResponseHead): FilterVerdict {
    this.#decodesResponse = head.hasBody && this.#decodes(head.headers, this.#settings.response);
    return 'continue';
  }

  responseBody(stream: FilterStream, next: BodySink): BodySink | null {
    if (!this.#decodesResponse) return null;
    const flow = { hold: () => stream.holdResponse(this), release: () => stream.releaseResponse(this) };
    return this.#decode(stream, this.#settings.response, next, flow);
  }

  onEnd(): void {
    for (const { body, direction } of this.#open) {
      direction.bytesIn.value += body.bytesIn;
      direction.bytesOut.value += body.bytesOut;
      body.close();
    }
  }

  /** Edits the headers of a body that will be decoded. */
  #decodes(headers: HeaderList, direction: Direction): boolean {
    const codings = (headers.getCombined('content-encoding') ?? '').split(',').map((coding) => coding.trim());
    const isForbidden =
      !direction.ignoresNoTransform &&
      /(?:^|,)\s*no-transform\s*(?:,|$)/i.test(headers.getCombined('cache-control') ?? '');
    if (!direction.isEnabled || isForbidden || codings[0]?.toLowerCase() !== this.#settings.library.encoding) {
      direction.notDecompressed.value += 1;
      return false;
    }
    direction.decompressed.value += 1;
    headers.remove('content-length');
    const [, ...others] = codings;
    if (others.length === 0) headers.remove('content-encoding');
    else headers.set('content-encoding', others.join(','));
    return true;
  }

  #decode(
    stream: FilterStream,
    direction: Direction,
    next: BodySink,
    flow: { hold(): void; release(): void },
  ): BodySink {
    const body = new CodedBody(this.#settings.library, next, {
      ...flow,
      fail: (error) =>
        stream.sendLocalReply({
          status: 400,
          body: `the body is not ${this.#settings.library.encoding}: ${error.message}`,
          details: 'decompression_failed',
          flags: 0,
          headers: null,
        }),
    });
    this.#open.push({ body, direction });
    return body;
  }
}

function advertise(headers: HeaderList, encoding: string): void {
  const present = headers.getCombined('accept-encoding');
  if (present === undefined || present === '') headers.set('accept-encoding', encoding);
  else if (!present.split(',').some((item) => item.trim().split(';')[0] === encoding)) {
    headers.set('accept-encoding', `${present},${encoding}`);
  }
}
