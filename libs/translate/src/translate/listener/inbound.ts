import { TrafficDirection } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { isHttpProtocol } from '@flotilla/model';
import type { InboundPort } from '../../mesh/inbound.ts';
import type { MtlsMode } from '../../mesh/peer-authentication.ts';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { listenerDraft } from '../draft.ts';
import type { ProxyFilters } from '../http-filters/proxy-filters.ts';
import {
  BLACK_HOLE_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  inboundCluster,
  listenerName,
  VIRTUAL_INBOUND,
} from '../names.ts';
import { type InboundTarget, inboundChains } from './inbound-chains.ts';
import {
  anyAddress,
  type ChainMatch,
  detectionTimeout,
  exceptAt,
  HTTP_INSPECTOR,
  ORIGINAL_DESTINATION,
  socketAddress,
  TLS_INSPECTOR,
} from './parts.ts';
import { tcpProxy } from './tcp-proxy.ts';

export type VirtualInboundInputs = {
  readonly ports: readonly InboundPort[];
  /** For ports nobody declared. */
  readonly mtls: MtlsMode;
  readonly families: AddressFamilies;
  readonly filters: ProxyFilters;
  readonly mesh: MeshSettings;
};

/**
 * Limit for the first bytes where a declared TCP port takes plaintext beside mTLS: a server that speaks first and a
 * plaintext client would wait for each other for ever. Between proxies nobody waits: TLS begins with the client.
 */
const SERVER_FIRST_WAIT_MS = 5_000;

function waitsForServers(ports: readonly InboundPort[]): boolean {
  return ports.some(({ mtls, protocol }) => mtls === 'PERMISSIVE' && protocol !== 'auto' && !isHttpProtocol(protocol));
}

function numbersOf(ports: readonly InboundPort[]): number[] {
  return ports.map(({ port }) => port);
}

/** `virtualInbound`: all redirected inbound traffic, told apart by the port that the client dialled. */
export function virtualInboundResource({ ports, mtls, families, filters, mesh }: VirtualInboundInputs) {
  const port = mesh.config.proxyInboundListenPort;
  return listenerDraft(VIRTUAL_INBOUND, {
    name: VIRTUAL_INBOUND,
    ...anyAddress(families, port),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [
      ORIGINAL_DESTINATION,
      // Without TLS there is nothing to tell apart, and a server that speaks first must not be waited for.
      exceptAt(TLS_INSPECTOR, numbersOf(ports.filter(({ mtls: mode }) => mode === 'DISABLE'))),
      exceptAt(HTTP_INSPECTOR, numbersOf(ports.filter(({ protocol }) => protocol !== 'auto'))),
    ],
    ...detectionTimeout(mesh, waitsForServers(ports) ? SERVER_FIRST_WAIT_MS : 0),
    filterChains: [
      {
        // Nobody dials the proxy's own port: a loop otherwise.
        name: 'virtualInbound-blackhole',
        filterChainMatch: { destinationPort: port },
        filters: [tcpProxy([{ name: BLACK_HOLE_CLUSTER, weight: 1 }], mesh, { statPrefix: BLACK_HOLE_CLUSTER })],
      },
      ...ports.flatMap((inbound) => inboundChains(targetOf(inbound, filters, mesh, { destinationPort: inbound.port }))),
      ...inboundChains({
        name: VIRTUAL_INBOUND,
        cluster: INBOUND_PASSTHROUGH_CLUSTER,
        protocol: 'auto',
        mtls,
        match: {},
        operation: 'inbound',
        mesh,
        filters,
      }),
    ],
  });
}

export type ExplicitInboundInputs = {
  readonly port: InboundPort;
  readonly bind: { readonly address: string; readonly port: number };
  readonly filters: ProxyFilters;
  readonly mesh: MeshSettings;
};

/** One inbound port that clients dial at the proxy itself: `inbound_127.0.0.1_21001`. */
export function explicitInboundResource({ port, bind, filters, mesh }: ExplicitInboundInputs) {
  const name = `inbound_${listenerName(bind.address, bind.port)}`;
  const isSniffed = port.protocol === 'auto';
  return listenerDraft(name, {
    name,
    address: socketAddress(bind.address, bind.port),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [
      // Without TLS there is nothing to tell apart, and a server that speaks first must not be waited for.
      ...(port.mtls === 'DISABLE' ? [] : [TLS_INSPECTOR]),
      ...(isSniffed ? [HTTP_INSPECTOR] : []),
    ],
    ...detectionTimeout(mesh, waitsForServers([port]) ? SERVER_FIRST_WAIT_MS : 0),
    filterChains: inboundChains(targetOf(port, filters, mesh, {})),
  });
}

function targetOf(port: InboundPort, filters: ProxyFilters, mesh: MeshSettings, match: ChainMatch): InboundTarget {
  const [service] = port.services;
  return {
    name: listenerName('0.0.0.0', port.port),
    cluster: inboundCluster(port.port),
    protocol: port.protocol,
    mtls: port.mtls,
    match,
    operation: `${service?.hostname ?? 'inbound'}:${port.port}/*`,
    mesh,
    filters,
  };
}
