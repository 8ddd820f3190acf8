/** What a proxy listens for, one port each. */
export const DOORS = ['plain', 'logged', 'toTls', 'fromTls', 'fromMutualTls', 'h2', 'grpc', 'tcp'] as const;
export type Door = (typeof DOORS)[number];
export type Doors = Readonly<Record<Door, number>>;

/** What all peers are configured from. */
export interface Plan {
  readonly doors: Doors;
  readonly upstream: { readonly plain: number; readonly tls: number; readonly grpc: number };
  /** Holds ca.pem, cert.pem, key.pem and both.pem (certificate and key). */
  readonly certificates: string;
  /** Where access logs go. */
  readonly accessLog: string;
  /** Further clusters with a route each, as a large mesh brings them. */
  readonly extraClusters: number;
}
