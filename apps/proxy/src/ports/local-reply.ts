import type { HeaderList } from '@flotilla/http-codec';

/** An answer that the proxy makes itself. Texts, flags and details are Envoy's. */
export interface LocalReply {
  readonly status: number;
  /** Plain text; empty: no body. */
  readonly body: string;
  /** `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;
  /** Bits of `ResponseFlag`. */
  readonly flags: number;
  /** Status for gRPC clients when it is not derived from `status`. */
  readonly grpcStatus?: number | null;
  /** Further response headers, null for none. Not shared: the reply takes them over. */
  readonly headers: HeaderList | null;
}
