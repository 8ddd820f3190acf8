import { TrafficDirection } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  TlsParameters_TlsProtocol as EnvoyTls,
  type TlsParametersSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import {
  type ServerTLSSettings,
  ServerTLSSettings_TLSmode as TlsMode,
  ServerTLSSettings_TLSProtocol as TlsProtocol,
} from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import type { Config } from '../../mesh/config.ts';
import { type LabelList, labelsOf } from '../../mesh/label-list.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { gatewaysOf } from '../../mesh/virtual-services.ts';
import type { Service } from '../../registry/service.ts';
import { listenerDraft } from '../draft.ts';
import {
  boundHosts,
  gatewayServerId,
  type GatewayServer,
  groupServers,
  routeNameOf,
  serverHosts,
  terminatesTls,
} from '../gateway-servers.ts';
import type { ProxyFilters } from '../http-filters/proxy-filters.ts';
import { limit } from '@flotilla/runtime';
import { type Init, milliseconds } from '../protobuf.ts';
import type { HashedService } from '../route/hash-policy.ts';
import { servicesByHost } from '../route/services-by-host.ts';
import { connectionManager } from './http-connection-manager.ts';
import { detectionTimeout, type FilterChain, socketAddress, TLS_INSPECTOR, tlsServer } from './parts.ts';
import { tcpDestinations } from './tcp-routes.ts';
import { tcpProxy } from './tcp-proxy.ts';

// Whoever comes to a TLS port speaks first.
const HELLO_TIMEOUT_MS = limit({
  name: 'gateway.client-hello',
  what: 'time for the first TLS message of a client to arrive at a gateway',
  default: 10_000,
  unit: 'ms',
  setting: '`protocolDetectionTimeout` of MeshConfig',
  past: 'the connection is closed',
});
const HANDSHAKE_TIMEOUT_MS = limit({
  name: 'gateway.handshake',
  what: 'time for a TLS handshake with a gateway (as Istio)',
  default: 15_000,
  unit: 'ms',
  past: 'the connection is closed',
});

export type GatewayListenerInputs = {
  readonly name: string;
  /** Of the Gateway's servers. */
  readonly port: number;
  readonly serverBind: string;
  /** Where the gateway really listens. */
  readonly bindAddress: string;
  readonly bindPort: number;
  readonly gateways: readonly Config<'Gateway'>[];
  readonly virtualServices: readonly Config<'VirtualService'>[];
  readonly services: readonly Service[];
  readonly hashed: readonly HashedService[];
  readonly filters: ProxyFilters;
  readonly mesh: MeshSettings;
  readonly namespace: string;
  readonly labels: LabelList;
};

/** The listener of all Gateway servers of one port: `0.0.0.0_8080`. */
export function gatewayListenerResource(inputs: GatewayListenerInputs) {
  const { name, bindAddress, bindPort } = inputs;
  const group = groupServers(inputs.gateways).groups.find(
    (candidate) => candidate.port === inputs.port && candidate.bind === inputs.serverBind,
  );
  const servers = group?.servers ?? [];
  const isTls = servers.some(({ server }) => terminatesTls(server));
  return listenerDraft(name, {
    name,
    address: socketAddress(bindAddress, bindPort),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(isTls ? { listenerFilters: [TLS_INSPECTOR], ...detectionTimeout(inputs.mesh, HELLO_TIMEOUT_MS) } : {}),
    filterChains:
      group === undefined
        ? []
        : group.kind === 'http'
          ? // Plain HTTP servers of a port share one chain, told apart by Host.
            [httpChain(inputs, gatewayRouteName(inputs), null)]
          : group.kind === 'https'
            ? withDistinctNames(servers).map((named) => httpChain(inputs, routeNameOf(group, named.server), named))
            : withDistinctNames(servers).flatMap((named) => tcpChain(inputs, named)),
  });
}

function gatewayRouteName({ port, serverBind }: GatewayListenerInputs): string {
  return serverBind === '' ? `http.${port}` : `http.${port}.${serverBind}`;
}

function httpChain(inputs: GatewayListenerInputs, routeName: string, named: NamedServer | null): FilterChain {
  const { name, filters, mesh } = inputs;
  return {
    ...(named === null ? {} : tlsPart(named, ['h2', 'http/1.1'])),
    filters: [
      connectionManager({
        direction: 'gateway',
        statPrefix: `outbound_${name}`,
        routes: { rds: routeName },
        filters,
        mesh,
        isTls: named !== null,
      }),
    ],
  };
}

/** A server with the names that its filter chain matches; empty matches all. */
interface NamedServer {
  readonly server: GatewayServer;
  readonly names: string[];
}

/** Envoy refuses two chains with one match: a name that an older server has is not given to a later one. */
function withDistinctNames(servers: readonly GatewayServer[]): NamedServer[] {
  const taken = new Set<string>();
  return servers.flatMap((server) => {
    const hosts = terminatesTls(server.server) ? serverHosts(server) : ['*'];
    const wanted = hosts.includes('*') ? ['*'] : hosts;
    const free = wanted.filter((host) => !taken.has(host));
    for (const host of free) taken.add(host);
    return free.length === 0 ? [] : [{ server, names: free.filter((host) => host !== '*') }];
  });
}

/** A TCP server's connections go where the oldest VirtualService bound to it sends them. */
function tcpChain(inputs: GatewayListenerInputs, named: NamedServer): FilterChain[] {
  const { server } = named;
  const id = gatewayServerId(server);
  for (const rule of inputs.virtualServices) {
    if (rule.spec.tcp.length === 0 || !gatewaysOf(rule).includes(id)) continue;
    if (boundHosts(server, rule, inputs.mesh).length === 0) continue;
    const destinations = tcpDestinations({
      mesh: inputs.mesh,
      virtualService: rule,
      port: inputs.port,
      clientPort: inputs.bindPort,
      isTls: terminatesTls(server.server),
      gateways: [id],
      hashed: inputs.hashed,
      proxy: { namespace: inputs.namespace, labels: labelsOf(inputs.labels) },
      services: servicesByHost(inputs.services),
    });
    if (destinations === null) continue;
    return [
      {
        ...(terminatesTls(server.server) ? tlsPart(named, []) : {}),
        filters: [tcpProxy(destinations, inputs.mesh, inputs)],
      },
    ];
  }
  return [];
}

/** The server's names and its certificate. */
function tlsPart({ server, names }: NamedServer, alpnProtocols: string[]): FilterChain {
  const { tls } = server.server;
  return {
    ...(names.length === 0 ? {} : { filterChainMatch: { serverNames: names } }),
    ...(tls === undefined
      ? {}
      : {
          transportSocket: tlsServer(serverContext(tls, alpnProtocols)),
          transportSocketConnectTimeout: milliseconds(HANDSHAKE_TIMEOUT_MS),
        }),
  };
}

function serverContext(tls: ServerTLSSettings, alpnProtocols: string[]) {
  const isMutual = tls.mode === TlsMode.MUTUAL;
  return {
    requireClientCertificate: isMutual,
    commonTlsContext: {
      alpnProtocols,
      tlsParams: tlsParameters(tls),
      tlsCertificates: [{ certificateChain: file(tls.serverCertificate), privateKey: file(tls.privateKey) }],
      ...(isMutual
        ? {
            validationContextType: {
              case: 'validationContext' as const,
              value: { trustedCa: file(tls.caCertificates) },
            },
          }
        : {}),
    },
  };
}

function file(filename: string) {
  return { specifier: { case: 'filename' as const, value: filename } };
}

function tlsParameters(tls: ServerTLSSettings): Init<typeof TlsParametersSchema> {
  return {
    // Istio's default is TLS 1.2 and up.
    tlsMinimumProtocolVersion: versionOf(tls.minProtocolVersion) ?? EnvoyTls.TLSv1_2,
    ...(tls.maxProtocolVersion === TlsProtocol.TLS_AUTO
      ? {}
      : { tlsMaximumProtocolVersion: versionOf(tls.maxProtocolVersion) ?? EnvoyTls.TLSv1_3 }),
    cipherSuites: [...tls.cipherSuites],
  };
}

function versionOf(version: TlsProtocol): EnvoyTls | null {
  switch (version) {
    case TlsProtocol.TLSV1_0:
      return EnvoyTls.TLSv1_0;
    case TlsProtocol.TLSV1_1:
      return EnvoyTls.TLSv1_1;
    case TlsProtocol.TLSV1_2:
      return EnvoyTls.TLSv1_2;
    case TlsProtocol.TLSV1_3:
      return EnvoyTls.TLSv1_3;
    default:
      return null;
  }
}
