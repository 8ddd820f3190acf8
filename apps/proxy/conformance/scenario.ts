import type { Fields, Value } from './values.ts';
import type { ScriptedFrame } from './frames.ts';

/** TLS of a client or of an upstream. Certificates are named as in `certificates.ts`. */
export interface TlsSide {
  readonly sni?: string;
  readonly alpn?: readonly string[];
  readonly cert?: string;
  /** An upstream asks the proxy for its certificate. */
  readonly asks?: boolean;
  readonly min?: string;
  readonly max?: string;
}

/** What an upstream does with its n-th request. */
export interface Answer {
  readonly status?: number;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly chunks?: readonly string[];
  readonly trailers?: readonly string[];
  /** Bytes instead of all of these. */
  readonly raw?: string;
  /** Heads of 1xx responses before it. */
  readonly informational?: readonly string[];
  /** Answers when the head is there, before the body. */
  readonly early?: boolean;
  /** Answers when the client says `release`. */
  readonly hold?: boolean;
  /** `echo`: what comes after the answer goes back as it is. */
  readonly then?: 'close' | 'reset' | 'echo';
  /** Instead of an answer. */
  readonly do?: 'hang' | 'close' | 'reset' | 'goaway';
  /** Of an upstream of frames: all that it says. */
  readonly frames?: readonly ScriptedFrame[];
  /** HTTP/2: code of the RST_STREAM that follows, or stands for, the answer. */
  readonly rst?: number;
}

/** What a TCP upstream does on each connection. */
export interface TcpAct {
  readonly send?: string;
  /** Waits for so many bytes. */
  readonly expect?: number;
  readonly echo?: boolean;
  readonly end?: boolean;
  readonly reset?: boolean;
}

export interface UpstreamScript {
  readonly kind: 'http1' | 'http2' | 'frames' | 'tcp' | 'dead' | 'none';
  readonly answers: readonly Answer[];
  readonly acts: readonly TcpAct[];
  readonly tls: TlsSide | null;
}

export interface Connect {
  readonly name: string;
  readonly as: 'h1' | 'h2' | 'frames' | 'tcp';
  readonly tls: TlsSide | null;
  /** Sent before anything else, before TLS too. */
  readonly before: string;
  /** Listener of the scenario's `listeners`; empty: the first. */
  readonly to: string;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly host: string | null;
  readonly headers: readonly string[];
  readonly body: string | null;
  readonly chunks: readonly string[] | null;
  readonly trailers: readonly string[];
  readonly version: string;
  /** False: the response is not waited for. */
  readonly reads: boolean;
  readonly times: number;
}

export type Step =
  | { readonly kind: 'connect'; readonly connect: Connect }
  | { readonly kind: 'on'; readonly name: string }
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'send'; readonly text: string }
  | { readonly kind: 'frames'; readonly frames: readonly ScriptedFrame[] }
  | { readonly kind: 'read'; readonly count: number; readonly of: string }
  | { readonly kind: 'read-bytes'; readonly bytes: number }
  | { readonly kind: 'read-close' }
  | { readonly kind: 'end' }
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'rst'; readonly code: number }
  | { readonly kind: 'await'; readonly upstream: string; readonly requests: number }
  | { readonly kind: 'release'; readonly upstream: string }
  | { readonly kind: 'until'; readonly stat: string; readonly is: number };

/** One behaviour, and how to bring it about. */
export interface Scenario {
  /** `subject/behaviour`. */
  readonly name: string;
  /** Ids of the capability table. */
  readonly rows: readonly string[];
  readonly about: string;
  /** Merged into the connection manager. */
  readonly hcm: Fields;
  /** HTTP filters before the router. */
  readonly filters: readonly Value[];
  readonly routes: readonly Value[] | null;
  readonly virtualHosts: readonly Value[] | null;
  /** Merged into the route table. */
  readonly routeConfig: Fields;
  /** Merged into the listener. */
  readonly listener: Fields;
  /** Filter chains instead of the one of HTTP. */
  readonly chains: readonly Value[] | null;
  /** Transport socket of the one chain. */
  readonly tls: Fields | null;
  /** By name; merged into a static cluster of one host. */
  readonly clusters: Readonly<Record<string, Fields>>;
  readonly upstreams: Readonly<Record<string, UpstreamScript>>;
  readonly client: readonly Step[];
  /** Further statistics, as `cluster.web.…`, `http.in.…` or `listener.in.…`. */
  readonly stats: readonly string[];
  /** False: what upstreams saw is random. */
  readonly comparesUpstreams: boolean;
  /** The upstreams are hosts of which any may be chosen: what they saw is one list. */
  readonly hostsAlike: boolean;
  /** Whether how a connection ended counts: with FIN or with RST. */
  readonly exactClose: boolean;
  /** Format of the access-log line. */
  readonly log: string | null;
  readonly logJson: Fields | null;
  readonly logFilter: Fields | null;
  /** Merged into the bootstrap; the scenario then has processes of its own. */
  readonly bootstrap: Fields | null;
}
