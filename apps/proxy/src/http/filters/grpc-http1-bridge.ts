import { isGrpcType } from '@flotilla/stream';
import type { HeaderList } from '@flotilla/http-codec';
import { ConfigSchema } from '@flotilla/wire/envoy/extensions/filters/http/grpc_http1_bridge/v3/config_pb.js';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { GatheredBody } from '../gathered-body.ts';
import type { LocalReply } from '../../ports/local-reply.ts';
import { type FilterConfig, messageOf } from './filter-config.ts';

/** gRPC calls over HTTP/1.1: the status of the call, which comes in trailers, goes into the response's head. */
export function compileGrpcHttp1BridgeFilter(name: string, typed: FilterConfig): FilterFactory {
  // Of its fields none is honoured.
  messageOf(typed, ConfigSchema);
  return { name, record: null, bind: () => () => new GrpcHttp1BridgeFilter() };
}

const responseTooLarge: LocalReply = {
  status: 500,
  body: 'Internal Server Error',
  details: 'response_payload_too_large',
  flags: 0,
  headers: null,
};

class GrpcHttp1BridgeFilter implements HttpFilter {
  #isBridged = false;
  #head: ResponseHead | null = null;

  onRequest({ request, info }: FilterStream): FilterVerdict {
    this.#isBridged = info.protocol !== 'HTTP/2' && isGrpcType(request.headers.get('content-type'));
    return 'continue';
  }

  onResponse(_stream: FilterStream, head: ResponseHead): FilterVerdict {
    if (!this.#isBridged) return 'continue';
    if (!head.hasBody) {
      this.#putStatus(head, null);
      return 'continue';
    }
    this.#head = head;
    return 'stop';
  }

  responseBody(stream: FilterStream, next: BodySink): BodySink | null {
    const head = this.#head;
    if (head === null) return null;
    return new GatheredBody(
      stream.bufferLimitBytes,
      () => stream.sendLocalReply(responseTooLarge),
      (chunks, bytes, trailers) => {
        this.#putStatus(head, trailers);
        head.headers.set('content-length', String(bytes));
        stream.continueResponse();
        for (const chunk of chunks) next.data(chunk);
        next.end(null);
      },
    );
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
