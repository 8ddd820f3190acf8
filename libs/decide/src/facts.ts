import type { ConnectionFacts } from '@flotilla/route';

/** A connection as it reaches a proxy, with what its first bytes say. */
export interface AskedConnection {
  /** Where the client wants to go: an address that a listener has. */
  readonly destination: { readonly host: string; readonly port: number };
  readonly source: { readonly host: string; readonly port: number };
  readonly tls: {
    readonly serverName: string | null;
    readonly alpn: readonly string[];
  } | null;
}

/** A request on such a connection, in the form that routing sees: its path is normalised. */
export interface AskedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly authority: string;
  /** Names in lower case; a name may come more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Draws in [0,1) for what goes by chance. */
export interface Draws {
  /** Of fractions that routes ask for. */
  readonly route: number;
  /** Among weighted clusters. */
  readonly cluster: number;
}

/** What chains are matched by. */
export function matchFactsOf({ destination, source, tls }: AskedConnection): ConnectionFacts {
  return {
    destinationHost: destination.host,
    destinationPort: destination.port,
    sourceHost: source.host,
    sourcePort: source.port,
    transport: tls === null ? 'raw_buffer' : 'tls',
    serverName: tls?.serverName ?? null,
    applicationProtocols: tls?.alpn ?? [],
  };
}
