import { isGrpcType } from '@flotilla/stream';
import type { HeaderList } from '@flotilla/http-codec';
import { GrpcWebSchema } from '@flotilla/wire/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { type FilterConfig, messageOf } from './filter-config.ts';

const BINARY = new Set(['application/grpc-web', 'application/grpc-web+proto']);
const TEXT = new Set(['application/grpc-web-text', 'application/grpc-web-text+proto']);
/** Marks the frame that holds trailers. */
const TRAILERS_FLAG = 0x80;

/** gRPC-Web (the protocol that browsers speak) to gRPC and back: trailers travel in the body, which may be base64. */
export function compileGrpcWebFilter(name: string, typed: FilterConfig): FilterFactory {
  messageOf(typed, GrpcWebSchema);
  return { name, record: null, bind: () => () => new GrpcWebFilter() };
}

class GrpcWebFilter implements HttpFilter {
  #isWeb = false;
  #isRequestText = false;
  #isResponseText = false;

  onRequest(stream: FilterStream): FilterVerdict {
    const { headers } = stream.request;
    const type = headers.get('content-type') ?? '';
    this.#isRequestText = TEXT.has(type);
    this.#isWeb = this.#isRequestText || BINARY.has(type);
    if (!this.#isWeb) return 'continue';
    this.#isResponseText = TEXT.has(headers.get('accept') ?? '');
    headers.set('content-type', 'application/grpc');
    headers.remove('content-length');
    headers.set('te', 'trailers');
    headers.set('grpc-accept-encoding', 'identity');
    if (stream.requestBodySize !== 'none') stream.requestBodySize = 'chunked';
    return 'continue';
  }

  requestBody(stream: FilterStream, next: BodySink): BodySink | null {
    return this.#isWeb && this.#isRequestText ? new Base64Decoder(stream, next) : null;
  }

  onResponse(_stream: FilterStream, { headers }: ResponseHead): FilterVerdict {
    if (!this.#isWeb) return 'continue';
    if (isGrpcType(headers.get('content-type'))) {
      headers.set(
        'content-type',
        this.#isResponseText ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto',
      );
    }
    return 'continue';
  }

  responseBody(_stream: FilterStream, next: BodySink): BodySink | null {
    return this.#isWeb ? new TrailersInBody(next, this.#isResponseText) : null;
  }
}

/** Decodes base64 that may be cut anywhere, and may be padded in the middle where pieces were joined. */
class Base64Decoder implements BodySink {
  readonly #stream: FilterStream;
  readonly #next: BodySink;
  #rest = '';

  constructor(stream: FilterStream, next: BodySink) {
    this.#stream = stream;
    this.#next = next;
  }

  data(chunk: Buffer): void {
    const text = this.#rest + chunk.toString('latin1');
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    const groups = text.slice(0, whole);
    if (!/^[A-Za-z0-9+/=]*$/.test(groups)) return this.#refuse();
    const parts = groups.match(/[^=]+={0,2}/g) ?? [];
    for (const part of parts) this.#next.data(Buffer.from(part, 'base64'));
  }

  end(trailers: HeaderList | null): void {
    if (this.#rest !== '') return this.#refuse();
    this.#next.end(trailers);
  }

  #refuse(): void {
    this.#stream.sendLocalReply({
      status: 400,
      body: 'Bad gRPC-web request, invalid base64 data.',
      details: 'grpc_base_64_decode_failed',
      flags: 0,
      headers: null,
    });
  }
}

class TrailersInBody implements BodySink {
  readonly #next: BodySink;
  readonly #isText: boolean;

  constructor(next: BodySink, isText: boolean) {
    this.#next = next;
    this.#isText = isText;
  }

  data(chunk: Buffer): void {
    this.#send(chunk);
  }

  end(trailers: HeaderList | null): void {
    if (trailers !== null) this.#send(trailerFrame(trailers));
    this.#next.end(null);
  }

  #send(bytes: Buffer): void {
    this.#next.data(this.#isText ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes);
  }
}

function trailerFrame(trailers: HeaderList): Buffer {
  const text = [...trailers].map(([name, value]) => `${name}:${value}\r\n`).join('');
  const frame = Buffer.alloc(5 + Buffer.byteLength(text, 'latin1'));
  frame[0] = TRAILERS_FLAG;
  frame.writeUInt32BE(frame.length - 5, 1);
  frame.write(text, 5, 'latin1');
  return frame;
}
