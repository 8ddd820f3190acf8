import type { TlsFacts } from '@flotilla/stream';

/** What is known of a connection that is ready. */
export interface PeerFacts {
  /** First URI SAN of the verified certificate. */
  readonly uriSan: string | null;
  /** The protocol that ALPN settled on. */
  readonly alpn: string | null;
  /** Null: plain text. */
  readonly tls: TlsFacts | null;
}

/** What is known of a connection that is ready. */
export interface UpstreamConnectionFacts extends PeerFacts {
  readonly localAddress: string;
  /** Of this process, for logs. */
  readonly id: number;
}
