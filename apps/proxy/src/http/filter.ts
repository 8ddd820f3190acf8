import type { HeaderList } from '@flotilla/http-codec';
import type { Clock, Random } from '@flotilla/runtime';
import type { AcceptedConnection } from '../downstream/accepted-connection.ts';
import type { AccessLog } from '../observe/access-log.ts';
import type { StreamInfo } from '../observe/stream-info.ts';
import type { LocalReply } from './local-reply.ts';
import type { RoutableRequest, Route } from './route/route.ts';

/** `stop`: the filter calls `continueRequest` (or `sendLocalReply`) later itself. */
export type FilterVerdict = 'continue' | 'stop';

/** What a filter sees of the exchange that it takes part in. */
export interface FilterStream {
  readonly request: RoutableRequest;
  readonly info: StreamInfo;
  readonly connection: AcceptedConnection;
  /** Null when no route matched. */
  readonly route: Route | null;
  readonly clock: Clock;
  readonly random: Random;
  /** Goes on with the filter after the one that stopped. */
  continueRequest(): void;
  /** Answers instead of the upstream. Only before a response began. */
  sendLocalReply(reply: LocalReply): void;
}

/**
 * One filter's part in one request. A hook that a filter does not have is null and costs nothing. Filters see the
 * request in the order of the configuration and the response in reverse. Bodies pass by: hooks for data come with
 * the first filter that needs them, at the places in `Exchange` where data passes.
 */
export interface HttpFilter {
  readonly onRequest: ((stream: FilterStream) => FilterVerdict) | null;
  readonly onResponse: ((stream: FilterStream, headers: HeaderList) => void) | null;
  /** The exchange ended; cancel what is still running. */
  readonly onEnd: (() => void) | null;
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
