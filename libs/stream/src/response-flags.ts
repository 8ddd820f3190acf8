/**
 * Why a response was made by the proxy or a stream ended early: Envoy's response flags, by Envoy's bits, which
 * expressions may ask for.
 * Short names are what `%RESPONSE_FLAGS%` prints, in this order.
 */
export const ResponseFlag = {
  NoHealthyUpstream: 1 << 1,
  UpstreamRequestTimeout: 1 << 2,
  LocalReset: 1 << 3,
  UpstreamRemoteReset: 1 << 4,
  UpstreamConnectionFailure: 1 << 5,
  UpstreamConnectionTermination: 1 << 6,
  UpstreamOverflow: 1 << 7,
  NoRouteFound: 1 << 8,
  DelayInjected: 1 << 9,
  FaultInjected: 1 << 10,
  RateLimited: 1 << 11,
  UnauthorizedExternalService: 1 << 12,
  RateLimitServiceError: 1 << 13,
  DownstreamConnectionTermination: 1 << 14,
  UpstreamRetryLimitExceeded: 1 << 15,
  StreamIdleTimeout: 1 << 16,
  InvalidEnvoyRequestHeaders: 1 << 17,
  DownstreamProtocolError: 1 << 18,
  UpstreamMaxStreamDurationReached: 1 << 19,
  NoFilterConfigFound: 1 << 21,
  DurationTimeout: 1 << 22,
  UpstreamProtocolError: 1 << 23,
  NoClusterFound: 1 << 24,
  OverloadManager: 1 << 25,
  DnsResolutionFailed: 1 << 26,
  DownstreamRemoteReset: 1 << 28,
} as const;

// Envoy prints flags in the order in which they were set: a delay comes first, and used-up retries are noted before the
// failure of the last one.
const SHORT_NAMES: readonly (readonly [number, string])[] = [
  [ResponseFlag.DelayInjected, 'DI'],
  [ResponseFlag.UpstreamRetryLimitExceeded, 'URX'],
  [ResponseFlag.UpstreamOverflow, 'UO'],
  [ResponseFlag.NoHealthyUpstream, 'UH'],
  [ResponseFlag.UpstreamConnectionFailure, 'UF'],
  [ResponseFlag.UpstreamConnectionTermination, 'UC'],
  [ResponseFlag.UpstreamRemoteReset, 'UR'],
  [ResponseFlag.UpstreamRequestTimeout, 'UT'],
  [ResponseFlag.UpstreamProtocolError, 'UPE'],
  [ResponseFlag.LocalReset, 'LR'],
  [ResponseFlag.NoRouteFound, 'NR'],
  [ResponseFlag.NoClusterFound, 'NC'],
  [ResponseFlag.FaultInjected, 'FI'],
  [ResponseFlag.RateLimited, 'RL'],
  [ResponseFlag.RateLimitServiceError, 'RLSE'],
  [ResponseFlag.UnauthorizedExternalService, 'UAEX'],
  [ResponseFlag.StreamIdleTimeout, 'SI'],
  [ResponseFlag.DownstreamConnectionTermination, 'DC'],
  [ResponseFlag.DownstreamProtocolError, 'DPE'],
  [ResponseFlag.DownstreamRemoteReset, 'DR'],
  [ResponseFlag.DurationTimeout, 'DT'],
  [ResponseFlag.UpstreamMaxStreamDurationReached, 'UMSDR'],
  [ResponseFlag.OverloadManager, 'OM'],
  [ResponseFlag.DnsResolutionFailed, 'DF'],
  [ResponseFlag.InvalidEnvoyRequestHeaders, 'IH'],
  [ResponseFlag.NoFilterConfigFound, 'NFCF'],
];

const BY_NAME: ReadonlyMap<string, number> = new Map(SHORT_NAMES.map(([flag, name]) => [name, flag]));

/** The bit of `UF`; undefined for a name that is none. */
export function flagOfName(name: string): number | undefined {
  return BY_NAME.get(name);
}

/** Envoy's long names where ours are others. */
const LONG_EXCEPTIONS: Readonly<Record<string, string>> = {
  OverloadManager: 'OverloadManagerTerminated',
};

const LONG_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ResponseFlag).map(([name, flag]) => [flag, LONG_EXCEPTIONS[name] ?? name]),
);

/** `"UpstreamConnectionFailure,…"`, or `"-"` for none. */
export function formatLongResponseFlags(flags: number): string {
  if (flags === 0) return '-';
  return SHORT_NAMES.filter(([flag]) => (flags & flag) !== 0)
    .map(([flag]) => LONG_NAMES.get(flag) ?? '')
    .join(',');
}

/** `"UF,URX"`, or `"-"` for none. */
export function formatResponseFlags(flags: number, isTcp = false): string {
  if (flags === 0) return '-';
  if (isTcp && (flags & ResponseFlag.UpstreamRetryLimitExceeded) !== 0) {
    // A TCP proxy notes the failure first.
    return `${formatResponseFlags(flags & ~ResponseFlag.UpstreamRetryLimitExceeded)},URX`;
  }
  return SHORT_NAMES.filter(([flag]) => (flags & flag) !== 0)
    .map(([, name]) => name)
    .join(',');
}
