import type { JsonObject } from '@bufbuild/protobuf';
import type { HeaderList } from '@flotilla/http-codec';
import type { FilterState } from './filter-state.ts';
import type { CertificateFacts } from './certificate-facts.ts';

/** What is known of the peer on a mesh connection, from metadata exchange or from the endpoint's metadata. */
export interface PeerMetadata {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
}

/** Facts of one downstream connection, fixed after its TLS handshake. */
export interface ConnectionInfo {
  readonly id: number;
  /** `address:port` as strings, the way `%DOWNSTREAM_REMOTE_ADDRESS%` prints them. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Of the connection itself, where a PROXY header or a redirection says something else. */
  readonly directRemoteAddress: string;
  readonly directLocalAddress: string;
  readonly listenerName: string;
  /** Empty: none matched. */
  readonly filterChainName: string;
  /** SNI, `null` without TLS or without the extension. */
  readonly requestedServerName: string | null;
  readonly alpn: string | null;
  /** Null: plain text. */
  readonly tls: TlsFacts | null;
  /** Null: the client showed none. */
  readonly clientCertificate: 'presented' | 'validated' | null;
  /** First URI SAN of the client's certificate. */
  readonly peerUriSan: string | null;
  /** First URI SAN of our own certificate on this connection. */
  readonly localUriSan: string | null;
  /** What filters of the connection noted down; null while nothing is. */
  filterState: FilterState | null;
}

/** What a finished handshake has settled. */
export interface TlsFacts {
  /** `TLSv1.3`. */
  readonly version: string;
  /** OpenSSL's name of it. */
  readonly cipher: string;
  /** What the peer showed; null: nothing. */
  readonly peer: CertificateFacts | null;
  readonly own: CertificateFacts | null;
}

/**
 * The record of one request (or TCP connection), filled in as it travels and read by access log, metrics
 * and header formatters. Born complete, always the same shape. Times are monotonic milliseconds, -1 when
 * the event has not happened.
 */
export class StreamInfo {
  readonly connection: ConnectionInfo;
  /** The record of a whole connection, which its listener logs. */
  isOfListener = false;
  readonly startTimeMs: number;
  readonly startMs: number;
  /** The client's address as far as it is trusted: the connection's, or one of `x-forwarded-for` with port 0. */
  downstreamRemoteAddress: string;
  /** `HTTP/2`, `HTTP/1.1`, `HTTP/1.0`, or `null` for TCP. */
  protocol: string | null = null;
  method = '';
  /** Path with query as the client sent it, before any rewrite. */
  originalPath = '';
  /** Path with query as it goes upstream. */
  path = '';
  authority = '';
  scheme = 'http';
  requestHeaders: HeaderList | null = null;
  responseHeaders: HeaderList | null = null;
  responseTrailers: HeaderList | null = null;
  responseCode = 0;
  /** Of an answer that the proxy makes itself, before it is formatted. */
  localReplyBody = '';
  responseCodeDetails: string | null = null;
  connectionTerminationDetails: string | null = null;
  /** Why there was no TLS with the client. */
  downstreamTransportFailureReason: string | null = null;
  /** Bits of `ResponseFlag`. */
  responseFlags = 0;
  /** Body bytes, without headers. */
  bytesReceived = 0;
  bytesSent = 0;
  requestEndMs = -1;
  /** When the response's head went to the client. */
  responseStartMs = -1;
  upstreamRequestStartMs = -1;
  upstreamRequestEndMs = -1;
  upstreamResponseStartMs = -1;
  upstreamResponseEndMs = -1;
  endMs = -1;
  routeName: string | null = null;
  virtualHostName: string | null = null;
  /** Name of the cluster that was tried last. */
  upstreamCluster: string | null = null;
  /** `filter_metadata` of the cluster and of the host. */
  clusterMetadata: FilterMetadata | null = null;
  hostMetadata: FilterMetadata | null = null;
  /** `address:port` of the host that was tried last. */
  upstreamHost: string | null = null;
  /** Its name, where it has one. */
  upstreamHostName: string | null = null;
  /** All hosts that were tried, in their order; null: none yet. */
  triedHosts: TriedHost[] | null = null;
  upstreamLocalAddress: string | null = null;
  /** Of the connection that was used last; -1: none. */
  upstreamConnectionId = -1;
  /** `HTTP/2` or `HTTP/1.1`. */
  upstreamProtocol: string | null = null;
  upstreamTransportFailureReason: string | null = null;
  /** Of the connection to the upstream; null: plain text, or no connection. */
  upstreamTls: TlsFacts | null = null;
  /** URI SAN of the upstream's verified certificate; not null means mutual TLS upstream. */
  upstreamPeerUriSan: string | null = null;
  attemptCount = 0;
  /** A health check that the proxy answers itself: not counted among responses. */
  isHealthCheck = false;
  upstreamPeer: PeerMetadata | null = null;
  downstreamPeer: PeerMetadata | null = null;
  /** Service that the upstream cluster stands for (cluster metadata `istio.services[0]`). */
  destinationService: DestinationService | null = null;
  /** `set-cookie` values that the response brings, made by hash policies; null for none. */
  cookiesToSet: string[] | null = null;
  /** `filter_metadata` of the route, by namespace; null for none. */
  routeMetadata: FilterMetadata | null = null;
  /** What filters noted down, by namespace (Envoy's dynamic metadata); null while nothing is. */
  dynamicMetadata: Map<string, JsonObject> | null = null;
  /** The same as texts by key, that of the connection behind it; null while no filter of the request noted any. */
  filterState: FilterState | null = null;

  constructor(connection: ConnectionInfo, startTimeMs: number, startMs: number) {
    this.connection = connection;
    this.downstreamRemoteAddress = connection.remoteAddress;
    this.startTimeMs = startTimeMs;
    this.startMs = startMs;
  }

  /** A host is tried now. */
  tryHost(host: TriedHost): void {
    if (this.triedHosts === null) this.triedHosts = [host];
    else this.triedHosts.push(host);
    this.useHost(host);
  }

  /** A host that was tried is the one that answers. */
  useHost({ address, hostname, peer, metadata }: TriedHost): void {
    this.upstreamHost = address;
    this.upstreamHostName = hostname === '' ? null : hostname;
    this.upstreamPeer = peer;
    this.hostMetadata = metadata;
  }
}

/** Objects by namespace. */
export type FilterMetadata = Readonly<Record<string, JsonObject>>;

/** What is noted down of an upstream's host. */
export interface TriedHost {
  /** `address:port`. */
  readonly address: string;
  /** Empty: it has no name. */
  readonly hostname: string;
  readonly peer: PeerMetadata | null;
  readonly metadata: FilterMetadata | null;
}

export interface DestinationService {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}
