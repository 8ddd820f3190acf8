import type { HeaderList } from '@flotilla/http-codec';
import type { Clock, Random } from '@flotilla/runtime';
import type { AcceptedConnection } from './accepted-connection.ts';
import type { AccessLog, StreamInfo } from '@flotilla/stream';
import type { BodySink } from './body-sink.ts';
import type { LocalReply } from './local-reply.ts';
import type { RoutableRequest, Route } from '@flotilla/route';

/** `stop`: the filter calls `continueRequest`, `continueResponse` or `sendLocalReply` later itself. */
export type FilterVerdict = 'continue' | 'stop';

/** A response's head on its way out; filters edit it in place. */
export interface ResponseHead {
  status: number;
  readonly headers: HeaderList;
  /** False: the end follows at once. */
  hasBody: boolean;
  /** A reply of the proxy's own. */
  readonly isLocal: boolean;
}

/** What a filter sees of the exchange that it takes part in. */
export interface FilterStream {
  readonly request: RoutableRequest;
  readonly info: StreamInfo;
  readonly connection: AcceptedConnection;
  /** Null when no route matched. */
  readonly route: Route | null;
  readonly clock: Clock;
  readonly random: Random;
  /** The request is whole: nothing of it is still to come. */
  readonly isRequestEnded: boolean;
  /** Size of the body that goes upstream, in bytes. A filter that changes the body's size sets it. */
  requestBodySize: 'none' | 'chunked' | number;
  /** Bytes that a filter may keep of a body. */
  readonly bufferLimitBytes: number;
  /** Finds the route anew, by the request as it is now. */
  reroute(): void;
  /** Goes on with the filter after the one that stopped. */
  continueRequest(): void;
  /** Goes on with the response at the filter after the one that stopped it. */
  continueResponse(): void;
  /** Answers instead of the upstream. Only before a response's head was sent. */
  sendLocalReply(reply: LocalReply): void;
  /** Has the client wait until `release`; `holder` stands for who asks. */
  holdRequest(holder: object): void;
  releaseRequest(holder: object): void;
  /** Has the upstream wait until `release`. */
  holdResponse(holder: object): void;
  releaseResponse(holder: object): void;
}

/**
 * One filter's part in one request. A hook that a filter does not have costs nothing. Filters see the request in the
 * order of the configuration and the response in reverse.
 */
export interface HttpFilter {
  onRequest?(stream: FilterStream): FilterVerdict;
  /** Asked after `onRequest`: takes the request's body and hands it to `next`; null lets it pass by. */
  requestBody?(stream: FilterStream, next: BodySink): BodySink | null;
  onResponse?(stream: FilterStream, head: ResponseHead): FilterVerdict;
  /** Asked after `onResponse`, as `requestBody`. */
  responseBody?(stream: FilterStream, next: BodySink): BodySink | null;
  /** The exchange ended; cancel what is still running. */
  onEnd?(): void;
}

/** A filter of a connection manager, compiled. */
export interface FilterFactory {
  /** Name in the configuration, by which routes refer to it. */
  readonly name: string;
  /**
   * What the filter does on a route with this per-route configuration (undefined for none); null when it does
   * nothing there. Asked once per route, not per request.
   */
  bind(perRoute: unknown): (() => HttpFilter) | null;
  /** Called with the record of every finished exchange; null where the filter has no use for it. */
  readonly record: AccessLog | null;
}

/** In place of a route's configuration: the filter does nothing there (`FilterConfig.disabled`). */
export const DISABLED = Symbol('disabled');
/** In place of a route's configuration: a filter that is off by default runs there with its own. */
export const ENABLED = Symbol('enabled');
