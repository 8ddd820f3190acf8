import type { GrpcConnection } from '@flotilla/rpc/client';

/** A control-plane cluster of the bootstrap, reached over HTTP/2. */
export interface GrpcCluster {
  /** Opens a connection to the next endpoint. Rejects with `unavailable`, naming the endpoint. */
  connect(signal: AbortSignal): Promise<GrpcConnection>;
}
