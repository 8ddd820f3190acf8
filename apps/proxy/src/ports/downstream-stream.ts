import type { HeaderList } from '@flotilla/http-codec';
import type { AcceptedConnection } from './accepted-connection.ts';
import type { PickContext } from './cluster-manager.ts';
import type { StreamDeadlines } from '../base/deadlines.ts';

/**
 * The client's side of one request, whatever protocol it came by. Calls that come after the stream's end are
 * no-ops.
 */
export interface DownstreamStream {
  readonly connection: AcceptedConnection;
  readonly deadlines: StreamDeadlines;
  /** How the request's upstream host is chosen, as far as the connection decides that. */
  readonly pickContext: PickContext;
  readonly response: ResponseWriter;
  /** The request came by HTTP/2; else its head says which HTTP/1 it is. */
  readonly isHttp2: boolean;
  /** Trailers pass, both ways. */
  readonly forwardsTrailers: boolean;
  /** The response cannot be completed: what was written goes out, then the client sees a broken end. */
  reset(): void;
  /** After a 101 or an accepted CONNECT: from now on all bytes are data, both ways, until `response.end`. */
  tunnel(): void;
  /** The connection is not used again after this response. */
  closeAfterResponse(): void;
  pauseRequest(): void;
  resumeRequest(): void;
  /** The exchange is over and logged; the next request may begin. */
  exchangeDone(): void;
}

/** Where the response to one request is written. */
export interface ResponseWriter {
  /** A 1xx before the response. */
  informational(status: number, headers: HeaderList): void;
  /** The response's head; `hasBody` false: `end` follows at once. */
  head(status: number, headers: HeaderList, hasBody: boolean): void;
  /** When the client reads too slowly, `exchange.onDownstreamBlocked` and later `onDownstreamDrained` are called. */
  data(chunk: Buffer): void;
  end(trailers: HeaderList | null): void;
}
