import type { NeededResource } from './needed-resources.ts';
import type { Socket } from 'node:net';
import type { ConnectionInfo, StreamInfo } from '@flotilla/stream';

export interface Destination {
  readonly host: string;
  readonly port: number;
}

/** A client's connection after listener filters, filter chain match and TLS. */
export interface AcceptedConnection {
  /** Plain or TLS, paused. It belongs to the network filter from now on. */
  readonly socket: Socket;
  /** Bytes that were read from the socket already. */
  readonly initial: Buffer | null;
  readonly info: ConnectionInfo;
  readonly isTls: boolean;
  /** What the listener's own logs are told when the connection is over; null: it has none. */
  readonly record: StreamInfo | null;
  /** Where the client wanted to go, when the connection was redirected here; null otherwise. */
  readonly originalDestination: Destination | null;
  /** The cluster that a filter chose in place of the TCP proxy's own; null for none. */
  clusterName: string | null;
  /** The `host:port` that a filter chose, for clusters whose hosts are named by those who use them; null for none. */
  dynamicHost: string | null;
}

/** What a network filter made of a connection, for the listener that drains or closes it. */
export interface OpenConnection {
  /** Finish what is running, then close; an idle connection may stay until its client closes it or `destroy`. */
  drain(): void;
  destroy(): void;
}

/** The last filter of a filter chain, compiled: HTTP connection manager or TCP proxy. */
export interface NetworkFilter {
  /** Takes the connection; `onClose` is called once when it is over. */
  open(accepted: AcceptedConnection, onClose: () => void): OpenConnection;
  /** By RDS name. */
  readonly neededRoutes: ReadonlyMap<string, NeededResource>;
  /** Clusters that it names itself (not through routes). */
  readonly clusterNames: readonly string[];
}
