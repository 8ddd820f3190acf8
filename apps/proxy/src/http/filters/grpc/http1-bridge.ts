import type { HeaderList } from '@flotilla/http-codec';
import { ConfigSchema } from '@flotilla/wire/envoy/extensions/filters/http/grpc_http1_bridge/v3/config_pb.js';
import type { BodySink } from '../../body-lane.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../filter.ts';
import { refuseWhen } from '../../route/field.ts';
import { type FilterConfig, type HttpFilterScope, messageOf } from '../filter-config.ts';
import { isGrpcType } from './frames.ts';

/** gRPC calls over HTTP/1.1: the status of the call, which comes in trailers, goes into the response's head. */
export function compileGrpcHttp1BridgeFilter(
  name: string,
  typed: FilterConfig,
  _scope: HttpFilterScope,
): FilterFactory {
  const proto = messageOf(typed, ConfigSchema);
  refuseWhen(proto.upgradeProtobufToGrpc, 'upgrade_protobuf_to_grpc');
  refuseWhen(proto.ignoreQueryParameters, 'ignore_query_parameters');
  return { name, record: null, bind: () => () => new GrpcHttp1BridgeFilter() };
}

class GrpcHttp1BridgeFilter implements HttpFilter, BodySink {
  #isBridged = false;
  #head: ResponseHead | null = null;
  #stream: FilterStream | null = null;
  #next: BodySink | null = null;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  onRequest({ request, info }: FilterStream): FilterVerdict {
    this.#isBridged = info.protocol !== 'HTTP/2' && isGrpcType(request.headers.get('content-type'));
    return 'continue';
  }

  onResponse(stream: FilterStream, head: ResponseHead): FilterVerdict {
    if (!this.#isBridged) return 'continue';
    if (!head.hasBody) {
      this.#putStatus(head, null);
      return 'continue';
    }
    this.#stream = stream;
    this.#head = head;
    return 'stop';
  }

  responseBody(_stream: FilterStream, next: BodySink): BodySink | null {
    this.#next = next;
    return this.#head === null ? null : this;
  }

  data(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= (this.#stream?.bufferLimitBytes ?? 0)) this.#chunks.push(chunk);
    else {
      this.#stream?.sendLocalReply({
        status: 500,
        body: 'Internal Server Error',
        details: 'response_payload_too_large',
        flags: 0,
        headers: null,
      });
    }
  }

  end(trailers: HeaderList | null): void {
    if (this.#stream === null || this.#head === null || this.#next === null) return;
    this.#putStatus(this.#head, trailers);
    this.#head.headers.set('content-length', String(this.#bytes));
    this.#stream.continueResponse();
    for (const chunk of this.#chunks) this.#next.data(chunk);
    this.#next.end(null);
  }

  #putStatus(head: ResponseHead, trailers: HeaderList | null): void {
    const status = trailers?.get('grpc-status') ?? head.headers.get('grpc-status');
    const message = trailers?.get('grpc-message') ?? head.headers.get('grpc-message');
    if (status === undefined || !/^\d+$/.test(status)) head.status = 503;
    else {
      if (status !== '0') head.status = 503;
      head.headers.set('grpc-status', status);
    }
    if (message !== undefined) head.headers.set('grpc-message', message);
  }
}
