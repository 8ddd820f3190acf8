import type { Clock } from '@flotilla/runtime';
import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { TransportSocket } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { ProxyProtocolConfig_Version as ProxyVersion } from '@flotilla/wire/envoy/config/core/v3/proxy_protocol_pb.js';
import { ProxyProtocolUpstreamTransportSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import type { SecretStore } from '../ports/secret-store.ts';
import { holdsAll, type TransportSelector } from '@flotilla/cluster';
import { compileTlsSettings, type TlsSettings } from './tls-settings.ts';
import { openTlsTransport, type TlsClientStats } from './tls-transport.ts';
import { openRawTransport, type Transport } from './transport.ts';

/** One way to connect. */
export interface TransportSettings {
  /** Null: plain text. */
  readonly tls: TlsSettings | null;
  /** Version of the PROXY header that comes first; 0: none. */
  readonly proxyVersion: 0 | 1 | 2;
}

const PLAIN: TransportSettings = { tls: null, proxyVersion: 0 };

export interface TransportSocketSettings {
  readonly all: readonly TransportSettings[];
  /** Index into `all` for an endpoint's metadata. */
  readonly select: TransportSelector;
}

/**
 * Compiles `transport_socket` and `transport_socket_matches`. The first match whose every pair an endpoint's metadata
 * holds is taken, else the cluster's own. Throws `invalid`, naming the field.
 */
export function compileTransportSockets(cluster: Cluster): TransportSocketSettings {
  const matches = cluster.transportSocketMatches.map(({ match, transportSocket }, index) => ({
    wanted: match ?? {},
    settings: compileSocket(transportSocket, `transport_socket_matches[${index}].transport_socket`),
  }));
  const own = compileSocket(cluster.transportSocket, 'transport_socket');
  return {
    all: [...matches.map((match) => match.settings), own],
    select(metadata) {
      const index = matches.findIndex(({ wanted }) => holdsAll(metadata, wanted));
      return index === -1 ? matches.length : index;
    },
  };
}

function compileSocket(socket: TransportSocket | undefined, path: string): TransportSettings {
  const any = socket?.configType.value;
  if (socket === undefined) return PLAIN;
  if (any === undefined) {
    return socket.name === 'envoy.transport_sockets.raw_buffer' ? PLAIN : refuse(`${path}.typed_config`, 'is missing');
  }
  if (any.typeUrl.endsWith('.RawBuffer')) return PLAIN;
  const proxied = inField(path, () => unpackValid(any, ProxyProtocolUpstreamTransportSchema));
  if (proxied !== undefined) {
    const inner = compileSocket(proxied.transportSocket, `${path}.transport_socket`);
    if (inner.proxyVersion !== 0) refuse(`${path}.transport_socket`, 'is a PROXY header within another one');
    return { ...inner, proxyVersion: proxied.config?.version === ProxyVersion.V2 ? 2 : 1 };
  }
  const context = inField(path, () => unpackValid(any, UpstreamTlsContextSchema));
  if (context === undefined)
    return refuse(path, `"${socket.name}" is not supported`, 'Use raw_buffer, tls or upstream_proxy_protocol.');
  return { tls: compileTlsSettings(context, path), proxyVersion: 0 };
}

/** Opens what the settings describe, holding the secrets that they name. */
export function openTransport(
  settings: TransportSettings,
  tools: { readonly secrets: SecretStore; readonly clock: Clock },
  stats: TlsClientStats,
  matchesServerName: boolean,
): Transport {
  const { tls, proxyVersion } = settings;
  return tls === null
    ? openRawTransport(proxyVersion)
    : openTlsTransport(tls, tools.secrets, tools.clock, stats, matchesServerName, proxyVersion);
}
