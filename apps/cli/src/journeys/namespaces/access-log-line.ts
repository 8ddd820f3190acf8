/** One line of a proxy's access log. */
export interface AccessLogLine {
  readonly authority: string | null;
  readonly code: number;
  readonly peer: string | null;
  readonly upstream_peer: string | null;
  readonly cluster: string | null;
  readonly destination: string | null;
  readonly path: string | null;
  readonly flags: string | null;
}

/** Its format, for MeshConfig. */
export const ACCESS_LOG_FORMAT: Readonly<Record<keyof AccessLogLine, string>> = {
  authority: '%REQ(:AUTHORITY)%',
  code: '%RESPONSE_CODE%',
  peer: '%DOWNSTREAM_PEER_URI_SAN%',
  upstream_peer: '%UPSTREAM_PEER_URI_SAN%',
  cluster: '%UPSTREAM_CLUSTER%',
  destination: '%DOWNSTREAM_LOCAL_ADDRESS%',
  path: '%REQ(:PATH)%',
  flags: '%RESPONSE_FLAGS%',
};
