import type { AccessLog } from '@flotilla/stream';

/** Which end of a hop speaks: the client's proxy (and gateways) report as `source`, the server's as `destination`. */
export type Reporter = 'source' | 'destination';

/**
 * Istio's standard metrics (istio.io, "Istio Standard Metrics") of one proxy. The labels of a series are put
 * together once per cluster, peer, principal, code and flags; after that a request costs a few map look-ups. Label
 * values come from configuration, from certificates and from what peers with a verified certificate say of themselves,
 * so the number of series is bounded by the mesh and not by strangers.
 */
export interface IstioMetrics {
  /** Records a finished request or TCP connection. */
  recorder(reporter: Reporter): AccessLog;
  /** Records that a TCP connection was opened, or that it failed to. */
  openRecorder(reporter: Reporter): AccessLog;
}
