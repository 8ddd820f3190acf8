import type { HeaderList } from '@flotilla/http-codec';

/** What is known of the certificate of a client that showed one. */
export type ClientCertificate = 'presented' | 'validated';

/**
 * What routing sees of a request, and what a route may rewrite. `headers` holds no pseudo headers; `host` is
 * not among them: it is `authority`.
 */
export interface RoutableRequest {
  method: string;
  /** Path with query. */
  path: string;
  authority: string;
  scheme: string;
  readonly headers: HeaderList;
  /** Null: the client showed none. */
  readonly clientCertificate: ClientCertificate | null;
}
