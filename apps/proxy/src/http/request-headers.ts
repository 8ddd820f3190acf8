import { localAddress } from '../base/local-address.ts';
import { randomUUID } from 'node:crypto';
import type { HeaderList } from '@flotilla/http-codec';
import { addressBits } from '@flotilla/match';
import { formatAddress } from '@flotilla/runtime';
import type { AcceptedConnection } from '../ports/accepted-connection.ts';
import { editClientCertHeader } from './client-cert-header.ts';
import { addressOf, type StreamInfo } from '@flotilla/stream';
import type { EdgeSettings, ManagerSettings } from './manager-settings.ts';

// Orders to the router that only a caller of the same mesh may give.
const INTERNAL_ONLY = new Set([
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-upstream-stream-duration-ms',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-internal',
]);
// Set by a proxy inside; from outside, past the edge, they are lies.
const EDGE_ONLY = [
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
];

/**
 * Puts a request's headers in order before routing: client address, scheme, request id, internal headers, client
 * certificate. Envoy's `ConnectionManagerUtility::mutateRequestHeaders`. Returns the scheme.
 */
export function prepareRequestHeaders(
  headers: HeaderList,
  connection: AcceptedConnection,
  settings: ManagerSettings,
  info: StreamInfo,
): string {
  const { edge } = settings;
  const transport = connection.isTls ? 'https' : 'http';
  const client = clientAddress(headers, connection, edge);
  if (client.address !== null && client.isForwarded) {
    info.downstreamRemoteAddress = formatAddress({ host: client.address, port: 0 });
  }
  if (edge.useRemoteAddress) {
    if (!edge.skipXffAppend) appendForwardedFor(headers, addressOf(connection.info.remoteAddress));
    if (edge.xffTrustedHops === 0 || !headers.has('x-forwarded-proto')) headers.set('x-forwarded-proto', transport);
    if (edge.appendForwardedPort && (edge.xffTrustedHops === 0 || !headers.has('x-forwarded-port'))) {
      headers.set('x-forwarded-port', portOf(connection.info.localAddress));
    }
  } else if (!headers.has('x-forwarded-proto')) headers.append('x-forwarded-proto', transport);
  sanitizeInternal(headers, client, edge, settings.routes()?.internalOnlyHeaders ?? []);
  if (edge.generateRequestId) {
    const isReplaced = client.isEdge && !edge.preserveExternalRequestId;
    if (isReplaced) headers.set('x-request-id', randomUUID());
    else if (!headers.has('x-request-id')) headers.append('x-request-id', randomUUID());
  }
  if (connection.info.tls?.peer != null || headers.has('x-forwarded-client-cert')) {
    editClientCertHeader(headers, connection, settings.clientCert);
  }
  if (client.isEdge && client.address !== null) headers.set('x-envoy-external-address', client.address);
  if (edge.via !== '') appendVia(headers, edge.via);
  if (edge.schemeToOverwrite !== null) headers.set('x-forwarded-proto', edge.schemeToOverwrite);
  return headers.get('x-forwarded-proto')?.toLowerCase() === 'https' ? 'https' : 'http';
}

interface Client {
  /** Trusted address of the original client, null when it cannot be told. */
  readonly address: string | null;
  readonly isInternal: boolean;
  /** The address comes from `x-forwarded-for`. */
  readonly isForwarded: boolean;
  /** The request comes in from outside, here. */
  readonly isEdge: boolean;
}

const UNKNOWN_CLIENT: Client = { address: null, isInternal: false, isForwarded: false, isEdge: false };

function clientAddress(headers: HeaderList, connection: AcceptedConnection, edge: EdgeSettings): Client {
  const forwarded = headers.getCombined('x-forwarded-for');
  if (edge.useRemoteAddress) {
    const trusted = edge.xffTrustedHops > 0 ? hopFromEnd(forwarded, edge.xffTrustedHops - 1) : null;
    const address = trusted ?? addressOf(connection.info.remoteAddress);
    const isInternal = forwarded === undefined && edge.isInternalAddress(address);
    return { address, isInternal, isForwarded: trusted !== null, isEdge: !isInternal };
  }
  if (forwarded === undefined) return UNKNOWN_CLIENT;
  const address = hopFromEnd(forwarded, edge.xffTrustedHops);
  const isSingle = !forwarded.includes(',');
  const isInternal = isSingle && address !== null && edge.isInternalAddress(address);
  return { address, isInternal, isForwarded: true, isEdge: false };
}

/** The n-th address of `x-forwarded-for` from its end; null when there are not as many or it is none. */
function hopFromEnd(forwarded: string | undefined, index: number): string | null {
  if (forwarded === undefined) return null;
  const hops = forwarded.split(',');
  const hop = hops[hops.length - 1 - index]?.trim();
  return hop === undefined || addressBits(hop) === null ? null : hop;
}

function sanitizeInternal(headers: HeaderList, client: Client, edge: EdgeSettings, ofRoutes: readonly string[]): void {
  if (client.isInternal) {
    headers.set('x-envoy-internal', 'true');
    return;
  }
  if (edge.useRemoteAddress) for (const name of EDGE_ONLY) headers.remove(name);
  for (const name of ofRoutes) headers.remove(name);
  const { flat } = headers;
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index] ?? '';
    // Few headers begin so: the set is asked only for those.
    if (name.charCodeAt(0) !== 0x78 || !name.startsWith('x-envoy-') || !INTERNAL_ONLY.has(name)) continue;
    headers.remove(name);
    index -= 2;
  }
}

function appendForwardedFor(headers: HeaderList, remote: string): void {
  const address = isLoopback(remote) ? localAddress() : remote;
  const before = headers.getCombined('x-forwarded-for');
  headers.set('x-forwarded-for', before === undefined || before === '' ? address : `${before},${address}`);
}

function appendVia(headers: HeaderList, via: string): void {
  const before = headers.getCombined('via');
  headers.set('via', before === undefined ? via : `${before}, ${via}`);
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
