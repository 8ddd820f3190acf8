/** Names of Envoy resources, as Istio gives them. */

export const BLACK_HOLE_CLUSTER = 'BlackHoleCluster';
export const PASSTHROUGH_CLUSTER = 'PassthroughCluster';
export const INBOUND_PASSTHROUGH_CLUSTER = 'InboundPassthroughCluster';
export const VIRTUAL_OUTBOUND = 'virtualOutbound';
export const VIRTUAL_INBOUND = 'virtualInbound';
/** Route configuration of the explicit HTTP proxy listener. */
export const HTTP_PROXY_ROUTE = 'http_proxy';

/** `outbound|9080|v2|reviews.default.svc.cluster.local`; without a subset its place is empty. */
export function outboundCluster(hostname: string, port: number, subset = ''): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

export interface OutboundName {
  readonly hostname: string;
  readonly port: number;
  readonly subset: string;
}

/** The inverse of `outboundCluster`, `null` for any other name. */
export function parseOutboundCluster(name: string): OutboundName | null {
  const match = /^outbound\|(\d+)\|([^|]*)\|([^|]+)$/.exec(name);
  if (match === null) return null;
  return { port: Number(match[1]), subset: match[2] ?? '', hostname: match[3] ?? '' };
}

/** `inbound|9080||` */
export function inboundCluster(port: number): string {
  return `inbound|${port}||`;
}

/** Server name of mesh TLS to a service: `outbound_.9080_.v2_.reviews.default.svc.cluster.local`. */
export function meshServerName(hostname: string, port: number, subset = ''): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}

/** `0.0.0.0_9080`; `addr_[::1]_80` would not survive a stat name, so colons stay as they are, as in Istio. */
export function listenerName(address: string, port: number): string {
  return `${address}_${port}`;
}

/** RDS name of a gateway's plain HTTP port; ports bound to an address of their own have their own routes. */
export function gatewayHttpRoute(port: number, bind: string): string {
  return bind === '' ? `http.${port}` : `http.${port}.${bind}`;
}

/** RDS name of one HTTPS server of a gateway. */
export function gatewayHttpsRoute(server: {
  readonly port: number;
  readonly portName: string;
  readonly gateway: string;
  readonly namespace: string;
}): string {
  return `https.${server.port}.${server.portName}.${server.gateway}.${server.namespace}`;
}
