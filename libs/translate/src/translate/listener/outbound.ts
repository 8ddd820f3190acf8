import { TrafficDirection } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { hostCovers, MESH_GATEWAY } from '@flotilla/model';
import type { Config } from '../../mesh/config.ts';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import { type LabelList, labelsOf } from '../../mesh/label-list.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { hostsOf } from '../../mesh/virtual-services.ts';
import { isTls } from '../../registry/protocol.ts';
import type { Service, ServicePort } from '../../registry/service.ts';
import { listenerDraft } from '../draft.ts';
import type { ProxyFilters } from '../http-filters/proxy-filters.ts';
import { BLACK_HOLE_CLUSTER, outboundCluster, PASSTHROUGH_CLUSTER } from '../names.ts';
import type { HashedService } from '../route/hash-policy.ts';
import { servicesByHost } from '../route/services-by-host.ts';
import { connectionManager } from './http-connection-manager.ts';
import {
  anyAddress,
  detectionTimeout,
  type FilterChain,
  HTTP_INSPECTOR,
  PLAINTEXT_HTTP,
  socketAddress,
  TLS_INSPECTOR,
} from './parts.ts';
import { tcpDestinations } from './tcp-routes.ts';
import { tcpProxy, type WeightedCluster } from './tcp-proxy.ts';

export type OutboundListenerInputs = {
  readonly name: string;
  /** `0.0.0.0`: any address of the workload's families, where it is not bound. */
  readonly address: string;
  readonly port: number;
  readonly families: AddressFamilies;
  /** False: connections come through `virtualOutbound`. */
  readonly isBound: boolean;
  /** Routes of the HTTP traffic, `null` when the port carries none. */
  readonly routeName: string | null;
  /** Services whose connections are passed on as bytes, each with the port it is reached at. */
  readonly services: readonly Service[];
  /** For `services`, element by element. */
  readonly ports: readonly ServicePort[];
  readonly hashed: readonly HashedService[];
  readonly virtualServices: readonly Config<'VirtualService'>[];
  readonly known: readonly Service[];
  /** Unknown traffic may go on to where it was going. */
  readonly mayPass: boolean;
  readonly filters: ProxyFilters;
  readonly mesh: MeshSettings;
  readonly namespace: string;
  readonly labels: LabelList;
};

/**
 * An outbound listener of a sidecar. HTTP has a chain of its own where the port may carry other traffic too; TLS that the
 * client speaks itself is told apart by server name; what is left goes to the one TCP service of the port, or is unknown.
 */
export function outboundListenerResource(inputs: OutboundListenerInputs) {
  const { name, address, port, isBound } = inputs;
  const chains = [...httpChains(inputs), ...tlsChains(inputs)];
  const plain = plainChain(inputs);
  const isHttpOnly = inputs.routeName !== null && inputs.services.length === 0 && isBound;
  const needsInspection = !isHttpOnly && chains.length > 0;
  return listenerDraft(name, {
    name,
    ...(!isBound && address === '0.0.0.0'
      ? anyAddress(inputs.families, port)
      : { address: socketAddress(address, port) }),
    ...(isBound ? {} : { bindToPort: false }),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(needsInspection ? { listenerFilters: [TLS_INSPECTOR, HTTP_INSPECTOR], ...detectionTimeout(inputs.mesh) } : {}),
    filterChains: needsInspection || isHttpOnly ? chains : [plain],
    ...(needsInspection ? { defaultFilterChain: plain } : {}),
  });
}

function httpChains(inputs: OutboundListenerInputs): FilterChain[] {
  const { routeName, name, filters, mesh, services, isBound } = inputs;
  if (routeName === null) return [];
  return [
    {
      name,
      ...(services.length === 0 && isBound
        ? {}
        : { filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: PLAINTEXT_HTTP } }),
      filters: [
        connectionManager({
          direction: 'outbound',
          statPrefix: `outbound_${name}`,
          routes: { rds: routeName },
          filters,
          mesh,
          isTls: false,
        }),
      ],
    },
  ];
}

function tlsChains(inputs: OutboundListenerInputs): FilterChain[] {
  const taken = new Set<string>();
  return inputs.services.flatMap((service, index) => {
    const port = inputs.ports[index];
    if (port === undefined || !isTls(port.protocol) || taken.has(service.hostname)) return [];
    taken.add(service.hostname);
    return [
      {
        name: `${service.hostname}:${port.number}`,
        filterChainMatch: { serverNames: [service.hostname] },
        filters: [tcpProxy(destinationsOf(service, port, inputs), inputs.mesh, inputs)],
      },
    ];
  });
}

/** Traffic that is neither HTTP nor TLS by name. */
function plainChain(inputs: OutboundListenerInputs): FilterChain {
  const { services, ports, mesh, mayPass } = inputs;
  const index = services.findIndex((service, at) => {
    const protocol = ports[at]?.protocol ?? 'UDP';
    // With an address of its own, a listener serves one service, whatever it speaks.
    return !isTls(protocol) || service.addresses.includes(inputs.address);
  });
  const service = services[index];
  const port = ports[index];
  if (service !== undefined && port !== undefined) {
    const destinations = destinationsOf(service, port, inputs);
    return { name: `${service.hostname}:${port.number}`, filters: [tcpProxy(destinations, mesh, inputs)] };
  }
  const cluster = mayPass ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER;
  return {
    name: 'PassthroughFilterChain',
    filters: [tcpProxy([{ name: cluster, weight: 1 }], mesh, { statPrefix: cluster })],
  };
}

function destinationsOf(service: Service, port: ServicePort, inputs: OutboundListenerInputs): WeightedCluster[] {
  const direct = [{ name: outboundCluster(service.hostname, port.number), weight: 1 }];
  const rule = inputs.virtualServices.find(
    (candidate) =>
      candidate.spec.tcp.length > 0 &&
      hostsOf(candidate, inputs.mesh).some((host) => hostCovers(host, service.hostname)),
  );
  if (rule === undefined) return direct;
  return (
    tcpDestinations({
      mesh: inputs.mesh,
      virtualService: rule,
      port: port.number,
      clientPort: port.number,
      isTls: false,
      gateways: [MESH_GATEWAY],
      hashed: inputs.hashed,
      proxy: { namespace: inputs.namespace, labels: labelsOf(inputs.labels) },
      services: servicesByHost(inputs.known),
    }) ?? direct
  );
}
