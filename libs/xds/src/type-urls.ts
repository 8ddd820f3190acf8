/** Type URLs of the xDS v3 resources that Flotilla speaks, by their API's usual short name. */
export const TYPE_URLS = {
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RDS: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  SDS: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  ECDS: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
} as const;

/**
 * Not a resource: a proxy says with a request of this type how its workload is (Istio's agents do, too). With
 * `error_detail` it takes no more requests.
 */
export const HEALTH_TYPE_URL = 'type.googleapis.com/istio.v1.HealthInformation';

export type XdsShortName = keyof typeof TYPE_URLS;

const SHORT_NAMES = new Map<string, XdsShortName>(
  // Object.entries widens keys to string; these are the keys of the constant above.
  Object.entries(TYPE_URLS).map(([short, url]) => [url, short as XdsShortName]),
);

/** `CDS` for a cluster's type URL, `null` for a type that is not spoken here. */
export function shortNameOf(typeUrl: string): XdsShortName | null {
  return SHORT_NAMES.get(typeUrl) ?? null;
}

export function typeUrlOf(short: XdsShortName): string {
  return TYPE_URLS[short];
}

/**
 * Types for which a stream that never names a resource asks for all of them. The xDS protocol allows it for
 * every type; only clusters and listeners have a meaningful "all", the others are found through them.
 */
export function hasWildcard(short: XdsShortName): boolean {
  return short === 'CDS' || short === 'LDS';
}
