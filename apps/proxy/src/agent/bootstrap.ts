import { isIP } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { MAX_REGEX_PROGRAM_SIZE } from '@flotilla/match';
import { formatSpiffeId } from '@flotilla/spiffe';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { type Address, AddressSchema } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { SubjectAltNameMatcher_SanType } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import { ROOT_SECRET, WORKLOAD_SECRET } from '../identity/identity-secrets.ts';
import type { AgentOptions } from './agent-options.ts';
import { STATS_TAGS } from './stats-tags.ts';

const XDS_CLUSTER = 'xds-grpc';
const SDS_CLUSTER = 'sds-grpc';
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Unix sockets between a stock Envoy and its agent. */
export interface EnvoySockets {
  /** The agent serves secrets there. */
  readonly sdsPath: string;
  /** Envoy has its administration pages there. */
  readonly adminPath: string;
}

/**
 * The Envoy bootstrap of a mesh proxy: aggregated delta xDS from pilot over mutual TLS, everything else from there.
 * It holds no secret: certificates come by SDS from the agent's socket, or from this process. `sockets` are
 * those of a stock Envoy, null for the own data plane.
 */
export function buildBootstrap(options: AgentOptions, node: Node, sockets: EnvoySockets | null): Bootstrap {
  const ads = create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: { case: 'ads', value: {} },
    // A proxy without configuration is of no use: it waits for pilot however long that takes.
    initialFetchTimeout: { seconds: 0n },
  });
  return create(BootstrapSchema, {
    node,
    admin: {
      address: sockets === null ? addressOf(options.admin.host, options.admin.port) : pipeOf(sockets.adminPath),
    },
    dynamicResources: {
      adsConfig: {
        apiType: ApiConfigSource_ApiType.DELTA_GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: XDS_CLUSTER } } }],
      },
      cdsConfig: ads,
      ldsConfig: ads,
    },
    staticResources: {
      clusters: [pilotCluster(options), ...(sockets === null ? [] : [agentCluster(sockets.sdsPath)])],
    },
    // Envoy's own bound is a program of 100 instructions, which the expression of a long path has already.
    layeredRuntime: {
      layers: [
        {
          name: 'static',
          layerSpecifier: {
            case: 'staticLayer',
            value: { 're2.max_program_size.error_level': MAX_REGEX_PROGRAM_SIZE },
          },
        },
      ],
    },
    statsConfig: { useAllDefaultTags: false, statsTags: STATS_TAGS },
  });
}

function pilotCluster(options: AgentOptions): Cluster {
  const { addresses, spiffeId } = options.discovery;
  const expected =
    spiffeId ??
    formatSpiffeId({ trustDomain: options.trustDomain, namespace: 'istio-system', serviceAccount: 'istiod' });
  const tls = create(UpstreamTlsContextSchema, {
    commonTlsContext: {
      alpnProtocols: ['h2'],
      tlsCertificateSdsSecretConfigs: [{ name: WORKLOAD_SECRET, sdsConfig: agentSource() }],
      validationContextType: {
        case: 'combinedValidationContext',
        value: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: [
              {
                sanType: SubjectAltNameMatcher_SanType.URI,
                matcher: { matchPattern: { case: 'exact', value: expected } },
              },
            ],
          },
          validationContextSdsSecretConfig: { name: ROOT_SECRET, sdsConfig: agentSource() },
        },
      },
    },
  });
  return create(ClusterSchema, {
    name: XDS_CLUSTER,
    clusterDiscoveryType: {
      case: 'type',
      value: addresses.every(({ host }) => isIP(host) !== 0)
        ? Cluster_DiscoveryType.STATIC
        : Cluster_DiscoveryType.STRICT_DNS,
    },
    connectTimeout: { seconds: 5n },
    loadAssignment: assignment(XDS_CLUSTER, ...addresses.map(({ host, port }) => addressOf(host, port))),
    typedExtensionProtocolOptions: http2Options(),
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, tls) },
    },
  });
}

function agentCluster(path: string): Cluster {
  return create(ClusterSchema, {
    name: SDS_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: { seconds: 1n },
    loadAssignment: assignment(SDS_CLUSTER, pipeOf(path)),
    typedExtensionProtocolOptions: http2Options(),
  });
}

/** Istio's SDS source: the agent beside the proxy. */
function agentSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: { seconds: 0n },
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: SDS_CLUSTER } } }],
      },
    },
  });
}

function http2Options() {
  const options = create(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: {
        protocolConfig: {
          case: 'http2ProtocolOptions',
          // A pilot that vanished without a word is noticed, and another one is asked.
          value: { connectionKeepalive: { interval: { seconds: 10n }, timeout: { seconds: 5n } } },
        },
      },
    },
  });
  return { [HTTP_OPTIONS]: anyPack(HttpProtocolOptionsSchema, options) };
}

function assignment(clusterName: string, ...addresses: Address[]) {
  const lbEndpoints = addresses.map((address) => ({
    hostIdentifier: { case: 'endpoint' as const, value: { address } },
  }));
  return { clusterName, endpoints: [{ lbEndpoints }] };
}

function pipeOf(path: string): Address {
  return create(AddressSchema, { address: { case: 'pipe', value: { path } } });
}

function addressOf(host: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address: host, portSpecifier: { case: 'portValue', value: port } } },
  });
}
