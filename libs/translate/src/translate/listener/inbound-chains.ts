import type { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { isHttpProtocol, type PortProtocol } from '@flotilla/model';
import type { MtlsMode } from '../../mesh/peer-authentication.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { ProxyFilters } from '../http-filters/proxy-filters.ts';
import { type Init, milliseconds } from '../protobuf.ts';
import { UNREACHED_HEADER } from '../unreached.ts';
import { inboundRetryPolicy } from '../route/retry.ts';
import { anyOfTrustDomain, meshCommonTls } from '../tls.ts';
import { connectionManager } from './http-connection-manager.ts';
import { type ChainMatch, type FilterChain, PLAINTEXT_HTTP, tlsServer } from './parts.ts';
import { tcpProxy } from './tcp-proxy.ts';

/** ALPN names by which a client's proxy marks mesh mTLS: with HTTP inside, with TCP, with either. */
const MESH_HTTP = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2'];
const MESH_TCP = ['istio-peer-exchange', 'istio'];
const MESH_ANY = [...MESH_TCP, ...MESH_HTTP];

export interface InboundTarget {
  /** `0.0.0.0_9080`, prefix of statistics and chain names. */
  readonly name: string;
  readonly cluster: string;
  readonly protocol: PortProtocol;
  readonly mtls: MtlsMode;
  /** Narrows every chain, to a port or an address. */
  readonly match: ChainMatch;
  /** Operation in traces. */
  readonly operation: string;
  readonly mesh: MeshSettings;
  readonly filters: ProxyFilters;
}

/**
 * The filter chains of one inbound port. mTLS mode and protocol make the table:
 *
 * | mode       | HTTP                          | TCP                                       | sniffed                    |
 * | STRICT     | TLS                           | TLS                                       | TLS+HTTP, TLS              |
 * | PERMISSIVE | mesh TLS, plaintext           | mesh TLS, plaintext, other TLS untouched  | each of them for both      |
 * | DISABLE    | plaintext                     | as it comes                               | plaintext HTTP, as it comes |
 *
 * A connection that fits no chain is closed: under STRICT that is plaintext.
 */
export function inboundChains(target: InboundTarget): FilterChain[] {
  const tls: ChainMatch = { transportProtocol: 'tls' };
  const plain: ChainMatch = { transportProtocol: 'raw_buffer' };
  const meshTls = (applicationProtocols: string[]): ChainMatch => ({ ...tls, applicationProtocols });
  const plainHttp: ChainMatch = { ...plain, applicationProtocols: PLAINTEXT_HTTP };
  const { protocol, mtls } = target;

  if (isHttpProtocol(protocol)) {
    if (mtls === 'STRICT') return [http(target, tls, true)];
    if (mtls === 'DISABLE') return [http(target, {}, false)];
    return [http(target, meshTls(MESH_ANY), true), http(target, plain, false)];
  }
  if (protocol === 'auto') {
    if (mtls === 'STRICT') return [http(target, meshTls(MESH_HTTP), true), tcp(target, tls, true)];
    if (mtls === 'DISABLE') return [http(target, plainHttp, false), tcp(target, {}, false)];
    return [
      http(target, meshTls(MESH_HTTP), true),
      tcp(target, meshTls(MESH_TCP), true),
      http(target, plainHttp, false),
      tcp(target, plain, false),
      tcp(target, tls, false),
    ];
  }
  if (mtls === 'STRICT') return [tcp(target, tls, true)];
  if (mtls === 'DISABLE') return [tcp(target, {}, false)];
  return [tcp(target, meshTls(MESH_TCP), true), tcp(target, plain, false), tcp(target, tls, false)];
}

function http(target: InboundTarget, match: ChainMatch, isTls: boolean): FilterChain {
  const { mesh, filters, name } = target;
  return {
    name,
    filterChainMatch: { ...target.match, ...match },
    ...(isTls ? { transportSocket: meshServer(mesh, ['h2', 'http/1.1']) } : {}),
    filters: [
      connectionManager({
        direction: 'inbound',
        statPrefix: `inbound_${name}`,
        routes: { inline: inboundRoutes(target) },
        filters,
        mesh,
        isTls,
      }),
    ],
  };
}

function tcp(target: InboundTarget, match: ChainMatch, isTls: boolean): FilterChain {
  const { mesh, cluster, name } = target;
  return {
    name,
    filterChainMatch: { ...target.match, ...match },
    ...(isTls ? { transportSocket: meshServer(mesh, ['istio-peer-exchange', 'h2', 'http/1.1']) } : {}),
    filters: [tcpProxy([{ name: cluster, weight: 1 }], mesh, { statPrefix: cluster })],
  };
}

/** The server's end of mesh mTLS: any workload of the trust domain, and of its aliases, may connect. */
function meshServer(mesh: MeshSettings, alpn: string[]) {
  const domains = [mesh.trustDomain, ...mesh.config.trustDomainAliases];
  return tlsServer({
    requireClientCertificate: true,
    commonTlsContext: meshCommonTls(alpn, domains.map(anyOfTrustDomain)),
  });
}

/** `inbound|9080||`: every request to the application, retried where the connection turns out to be dead. */
function inboundRoutes({ cluster, operation }: InboundTarget): Init<typeof RouteConfigurationSchema> {
  const none = milliseconds(0);
  return {
    name: cluster,
    validateClusters: false,
    responseHeadersToRemove: [UNREACHED_HEADER],
    virtualHosts: [
      {
        name: 'default',
        domains: ['*'],
        routes: [
          {
            name: 'default',
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            decorator: { operation },
            action: {
              case: 'route',
              value: {
                clusterSpecifier: { case: 'cluster', value: cluster },
                timeout: none,
                maxStreamDuration: { maxStreamDuration: none, grpcTimeoutHeaderMax: none },
                retryPolicy: inboundRetryPolicy(),
              },
            },
          },
        ],
      },
    ],
  };
}
