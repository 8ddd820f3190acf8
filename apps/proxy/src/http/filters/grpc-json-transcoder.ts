import { isGrpcType } from '@flotilla/stream';
import { readFileSync } from 'node:fs';
import type { HeaderList } from '@flotilla/http-codec';
import { FlotillaError } from '@flotilla/runtime';
import {
  type GrpcJsonTranscoder as TranscoderProto,
  GrpcJsonTranscoderSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder_pb.js';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { GatheredBody } from '../gathered-body.ts';
import { payloadTooLarge } from '../local-reply.ts';
import type { LocalReply } from '../../ports/local-reply.ts';
import { inField, refuse } from '@flotilla/envoy';
import { type FilterConfig, messageOf } from './filter-config.ts';
import { FrameReader, frameOf } from '../../protocol/grpc/frames.ts';
import { httpStatusOf } from '../../protocol/grpc/status.ts';
import { compileTranscoding, type TranscodedCall, type Transcoding } from './json-transcoding/transcoding.ts';

interface Settings {
  readonly transcoding: Transcoding;
  /** The route is found by the request as it came, not by the gRPC path. */
  readonly keepsRoute: boolean;
  readonly convertsStatus: boolean;
  readonly delimitsByLine: boolean;
  readonly refusesUnknownMethods: boolean;
  readonly refusesUnknownParameters: boolean;
  /** In bytes; null: the connection's buffer limit. */
  readonly maxRequestBytes: number | null;
  readonly maxResponseBytes: number | null;
}

/** REST and JSON to gRPC and back, by the `google.api.http` rules of a service's definition. */
export function compileGrpcJsonTranscoderFilter(name: string, typed: FilterConfig): FilterFactory {
  const own = settingsOf(messageOf(typed, GrpcJsonTranscoderSchema));
  return {
    name,
    record: null,
    bind(perRoute) {
      const settings = perRoute === undefined ? own : (perRoute as Settings | null); // made by the function below
      return settings === null ? null : () => new GrpcJsonTranscoderFilter(settings);
    },
  };
}

/** Compiles a route's `GrpcJsonTranscoder`; one without services turns the filter off. Throws `invalid`. */
export function compileGrpcJsonTranscoderRoute(typed: FilterConfig): Settings | null {
  return settingsOf(messageOf(typed, GrpcJsonTranscoderSchema));
}

function settingsOf(proto: TranscoderProto): Settings | null {
  if (proto.services.length === 0) return null;
  const descriptorSet = readDescriptorSet(proto);
  const print = proto.printOptions;
  return {
    transcoding: compileTranscoding({
      descriptorSet,
      services: proto.services,
      mapsAll: proto.autoMapping,
      ignoredParameters: new Set(proto.ignoredQueryParameters),
      ignoresUnknownParameters: proto.ignoreUnknownQueryParameters,
      unescapesPlus: proto.queryParamUnescapePlus,
      print: {
        hasWhitespace: print?.addWhitespace === true,
        printsDefaults: print?.alwaysPrintPrimitiveFields === true,
        enumsAsNumbers: print?.alwaysPrintEnumsAsInts === true,
        protoNames: print?.preserveProtoFieldNames === true,
      },
    }),
    keepsRoute: proto.matchIncomingRequestRoute,
    convertsStatus: proto.convertGrpcStatus,
    delimitsByLine: print?.streamNewlineDelimited === true,
    refusesUnknownMethods: proto.requestValidationOptions?.rejectUnknownMethod === true,
    refusesUnknownParameters: proto.requestValidationOptions?.rejectUnknownQueryParameters === true,
    maxRequestBytes: proto.maxRequestBodySize ?? null,
    maxResponseBytes: proto.maxResponseBodySize ?? null,
  };
}

class GrpcJsonTranscoderFilter implements HttpFilter {
  readonly #settings: Settings;
  #call: TranscodedCall | null = null;
  /** Of a unary call whose response waits for its trailers. */
  #head: ResponseHead | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { request } = stream;
    if (isGrpcType(request.headers.get('content-type'))) return 'continue';
    const { transcoding, refusesUnknownMethods, refusesUnknownParameters } = this.#settings;
    const found = transcoding.find(request.method, request.path);
    if (found.kind === 'call') {
      this.#call = found.call;
      return 'stop';
    }
    if (found.kind === 'unknown-method' && refusesUnknownMethods) {
      stream.sendLocalReply(failure(404, `Could not resolve ${request.path} to a method.`));
      return 'stop';
    }
    if (found.kind === 'unknown-parameter' && refusesUnknownParameters) {
      stream.sendLocalReply(failure(400, `Could not find field "${found.name}" in the type.`));
      return 'stop';
    }
    return 'continue';
  }

  requestBody(stream: FilterStream, next: BodySink): BodySink | null {
    const call = this.#call;
    if (call === null) return null;
    const limit = this.#settings.maxRequestBytes ?? stream.bufferLimitBytes;
    return new GatheredBody(
      limit,
      () => stream.sendLocalReply(payloadTooLarge),
      (chunks) => this.#send(stream, call, Buffer.concat(chunks), next),
    );
  }

  onResponse(_stream: FilterStream, head: ResponseHead): FilterVerdict {
    if (this.#call === null || head.isLocal || !isGrpcType(head.headers.get('content-type'))) {
      this.#call = null;
      return 'continue';
    }
    if (!head.hasBody) {
      // The status came with the head, which stays as it is otherwise (Envoy).
      this.#putStatus(head, head.headers);
      this.#call = null;
      return 'continue';
    }
    head.headers.set('content-type', 'application/json');
    if (this.#call.isServerStreaming) return 'continue';
    this.#head = head;
    return 'stop';
  }

  responseBody(stream: FilterStream, next: BodySink): BodySink | null {
    const call = this.#call;
    if (call === null) return null;
    if (this.#head === null) return new JsonStream(call, next, this.#settings.delimitsByLine, stream);
    const head = this.#head;
    const limit = this.#settings.maxResponseBytes ?? stream.bufferLimitBytes;
    return new GatheredBody(
      limit,
      () => stream.sendLocalReply(failure(500, 'the response is too large')),
      (chunks, _bytes, trailers) => this.#answer(stream, call, head, Buffer.concat(chunks), trailers, next),
    );
  }

  #send(stream: FilterStream, call: TranscodedCall, body: Buffer, next: BodySink): void {
    const { request } = stream;
    let messages: Uint8Array[];
    try {
      messages = call.encodeRequest(body);
    } catch (error) {
      stream.sendLocalReply(failure(400, FlotillaError.from(error, 'invalid').message));
      return;
    }
    const { headers } = request;
    headers.set('x-envoy-original-path', request.path);
    headers.set('x-envoy-original-method', request.method);
    headers.set('content-type', 'application/grpc');
    headers.set('te', 'trailers');
    headers.remove('content-length');
    request.path = call.path;
    request.method = 'POST';
    stream.requestBodySize = 'chunked';
    if (!this.#settings.keepsRoute) stream.reroute();
    for (const message of messages) next.data(frameOf(message));
    next.end(null);
    stream.continueRequest();
  }

  #answer(
    stream: FilterStream,
    call: TranscodedCall,
    head: ResponseHead,
    body: Buffer,
    trailers: HeaderList | null,
    next: BodySink,
  ): void {
    let text = '';
    try {
      text = new FrameReader()
        .push(body)
        .map(({ message }) => call.decodeResponse(message))
        .join('');
    } catch (error) {
      stream.sendLocalReply(failure(502, FlotillaError.from(error, 'invalid').message));
      return;
    }
    const converted = this.#putStatus(head, trailers ?? head.headers);
    const bytes = Buffer.from(converted ?? text);
    head.headers.set('content-length', String(bytes.length));
    stream.continueResponse();
    if (bytes.length > 0) next.data(bytes);
    next.end(null);
  }

  /** Puts the call's status into the head; gives the body that tells it, where that is asked for. */
  #putStatus(head: ResponseHead, from: HeaderList): string | null {
    const { headers } = head;
    const status = from.get('grpc-status');
    const message = from.get('grpc-message');
    head.status = status === undefined || !/^\d{1,2}$/.test(status) ? 503 : httpStatusOf(Number(status));
    const details = from.get('grpc-status-details-bin');
    if (this.#settings.convertsStatus && status !== undefined && status !== '0') {
      headers.remove('grpc-status');
      headers.remove('grpc-message');
      headers.remove('grpc-status-details-bin');
      const bytes = details === undefined ? null : Buffer.from(details, 'base64');
      return this.#settings.transcoding.printStatus(bytes, Number(status), decoded(message ?? ''));
    }
    if (status !== undefined) headers.set('grpc-status', status);
    if (message !== undefined) headers.set('grpc-message', message);
    return null;
  }
}

/** Messages of a stream as a JSON array, or one a line, each as soon as it is there. */
class JsonStream implements BodySink {
  readonly #call: TranscodedCall;
  readonly #next: BodySink;
  readonly #byLine: boolean;
  readonly #stream: FilterStream;
  readonly #reader = new FrameReader();
  #count = 0;

  constructor(call: TranscodedCall, next: BodySink, byLine: boolean, stream: FilterStream) {
    this.#call = call;
    this.#next = next;
    this.#byLine = byLine;
    this.#stream = stream;
  }

  data(chunk: Buffer): void {
    try {
      const texts = this.#reader.push(chunk).map(({ message }) => this.#text(message));
      if (texts.length > 0) this.#next.data(Buffer.from(texts.join('')));
    } catch (error) {
      this.#stream.sendLocalReply(failure(502, FlotillaError.from(error, 'invalid').message));
    }
  }

  end(): void {
    if (!this.#byLine) this.#next.data(Buffer.from(this.#count === 0 ? '[]' : ']'));
    this.#next.end(null);
  }

  #text(message: Uint8Array): string {
    const json = this.#call.decodeResponse(message);
    const before = this.#count++ === 0 ? '[' : ',';
    return this.#byLine ? `${json}\n` : `${before}${json}`;
  }
}

function failure(status: number, body: string): LocalReply {
  const code = status === 400 ? 'INVALID_ARGUMENT' : status === 404 ? 'NOT_FOUND' : 'INTERNAL';
  return { status, body, details: `grpc_json_transcode_failure{${code}}`, flags: 0, headers: null };
}

function readDescriptorSet({ descriptorSet: { case: which, value } }: TranscoderProto): Uint8Array {
  switch (which) {
    case 'protoDescriptor':
      return inField('proto_descriptor', () => readFileSync(value));
    case 'protoDescriptorBin':
      return value;
    case undefined:
      return refuse('descriptor_set', 'is missing: set proto_descriptor or proto_descriptor_bin');
  }
}

/** gRPC's encoding of a message: %XX are bytes of UTF-8. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
