import type { AddressSchema } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import type {
  FilterChainMatchSchema,
  FilterChainSchema,
  ListenerFilterSchema,
} from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { HttpInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import { OriginalDstSchema } from '@flotilla/wire/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js';
import { TlsInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import type { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { TransportSocketSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { DownstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import { type Init, milliseconds, typed } from '../protobuf.ts';
import { TLS_TRANSPORT } from '../tls.ts';

type ListenerInit = Init<typeof ListenerSchema>;
export type FilterChain = Init<typeof FilterChainSchema>;
export type ChainMatch = Init<typeof FilterChainMatchSchema>;
export type ListenerFilter = Init<typeof ListenerFilterSchema>;

/** What plaintext HTTP looks like to the HTTP inspector. */
export const PLAINTEXT_HTTP = ['http/1.1', 'h2c'];

export function socketAddress(address: string, port: number): Init<typeof AddressSchema> {
  return { address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } } };
}

/** Any address of a workload's families. With both, `::` is a second address of the listener. */
export function anyAddress(
  families: AddressFamilies,
  port: number,
): Pick<ListenerInit, 'address' | 'additionalAddresses'> {
  if (families === 'IPv6') return { address: socketAddress('::', port) };
  return {
    address: socketAddress('0.0.0.0', port),
    ...(families === 'dual' ? { additionalAddresses: [{ address: socketAddress('::', port) }] } : {}),
  };
}

/** Learns the address that a redirected client dialled. */
export const ORIGINAL_DESTINATION: ListenerFilter = {
  name: 'envoy.filters.listener.original_dst',
  configType: { case: 'typedConfig', value: typed(OriginalDstSchema, {}) },
};

/** Learns whether a connection begins with TLS, and its server name and protocols. */
export const TLS_INSPECTOR: ListenerFilter = {
  name: 'envoy.filters.listener.tls_inspector',
  configType: { case: 'typedConfig', value: typed(TlsInspectorSchema, {}) },
};

/** Learns whether plaintext is HTTP. */
export const HTTP_INSPECTOR: ListenerFilter = {
  name: 'envoy.filters.listener.http_inspector',
  configType: { case: 'typedConfig', value: typed(HttpInspectorSchema, {}) },
};

export function tlsServer(context: Init<typeof DownstreamTlsContextSchema>): Init<typeof TransportSocketSchema> {
  return {
    name: TLS_TRANSPORT,
    configType: { case: 'typedConfig', value: typed(DownstreamTlsContextSchema, context) },
  };
}

/** An inspector that is off at some ports: there nobody waits for a client's first bytes. */
export function exceptAt(filter: ListenerFilter, ports: readonly number[]): ListenerFilter {
  const ranges = ports.map((port) => ({
    rule: { case: 'destinationPortRange' as const, value: { start: port, end: port + 1 } },
  }));
  const [only] = ranges;
  if (only === undefined) return filter;
  // Envoy wants two rules at least.
  return {
    ...filter,
    filterDisabled: ranges.length === 1 ? only : { rule: { case: 'orMatch', value: { rules: ranges } } },
  };
}

/**
 * How long a client's first bytes are waited for, and then it goes on without: what the mesh says, otherwise as long as
 * it takes, as in Istio.
 */
export function detectionTimeout({ config }: MeshSettings, standardMs = 0): ListenerInit {
  return {
    listenerFiltersTimeout: milliseconds(config.protocolDetectionTimeoutMs || standardMs),
    continueOnListenerFiltersTimeout: true,
  };
}
