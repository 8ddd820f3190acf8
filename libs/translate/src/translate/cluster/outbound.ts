import type { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ApiVersion } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import {
  type ClientTLSSettings,
  ClientTLSSettings_TLSmode,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { isHttpProtocol, type PortProtocol } from '@flotilla/model';
import type { DestinationPolicy } from '../../mesh/destination-rules.ts';
import { configPath } from '../../mesh/config.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { EndpointSet, Service, ServicePort } from '../../registry/service.ts';
import { clusterDraft } from '../draft.ts';
import { loadAssignment, type LocalityInputs, preferenceOf } from '../endpoint/load-assignment.ts';
import { localitySetting } from '../endpoint/locality.ts';
import { meshServerName, outboundCluster } from '../names.ts';
import { type Init, milliseconds } from '../protobuf.ts';
import { connectionPool, httpOptions, httpVersion } from './connection-pool.ts';
import { isPassthrough, loadBalancing } from './load-balancer.ts';
import { outlierDetection } from './outlier.ts';
import { effectivePolicy } from './policy.ts';
import { subsetLabels } from './subset.ts';
import { upstreamTransport } from './upstream-tls.ts';

type ClusterInit = Init<typeof ClusterSchema>;

export type OutboundClusterInputs = {
  readonly service: Service;
  readonly port: ServicePort;
  /** "" for the cluster of all endpoints. */
  readonly subset: string;
  readonly destination: DestinationPolicy | null;
  /** Only for services whose endpoints the proxy resolves itself; otherwise `null`, since EDS carries them. */
  readonly endpoints: EndpointSet | null;
  /** The proxy has no original destination to go to. */
  readonly isExplicit: boolean;
  readonly mesh: MeshSettings;
} & LocalityInputs;

/** One cluster per service port and subset. */
export function outboundClusterResource(inputs: OutboundClusterInputs) {
  const { service, port, subset, destination, mesh, isExplicit } = inputs;
  const policy = effectivePolicy(destination, subset, port.number);
  const name = outboundCluster(service.hostname, port.number, subset);
  const version = httpVersion(port.protocol, policy.connectionPool);
  const discovery = discoveryOf(inputs, isPassthrough(policy.loadBalancer) && !isExplicit);
  const hasLocalities = discovery.lbPolicy === undefined && localitySetting(policy, mesh) !== null;
  const cluster: ClusterInit = {
    name,
    ...connectionPool(policy, mesh),
    ...loadBalancing(policy.loadBalancer),
    ...httpOptions(port.protocol, policy.connectionPool, isSniFromHost(policy.tls, port.protocol)),
    ...(policy.outlierDetection === undefined ? {} : { outlierDetection: outlierDetection(policy.outlierDetection) }),
    commonLbConfig: {
      // Istio's choice: with no healthy host, fail rather than send to hosts known to be ill.
      healthyPanicThreshold: { value: policy.outlierDetection?.minHealthPercent ?? 0 },
      ...(hasLocalities ? { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } } : {}),
    },
    ...discovery,
    ...upstreamTransport(
      {
        settings: policy.tls ?? null,
        meshServerName: meshServerName(service.hostname, port.number, subset),
        subjectAltNames: service.subjectAltNames,
        isHttp2: version === 'http2',
        hasEndpointMetadata: service.resolution !== 'original-destination' || isExplicit,
        isExternal: service.isExternal,
      },
      mesh,
    ),
    metadata: { filterMetadata: { istio: istioMetadata(inputs) } },
  };
  return clusterDraft(name, cluster);
}

function isSniFromHost(tls: ClientTLSSettings | undefined, protocol: PortProtocol): boolean {
  const isOriginated = tls?.mode === ClientTLSSettings_TLSmode.SIMPLE || tls?.mode === ClientTLSSettings_TLSmode.MUTUAL;
  return isOriginated && tls.sni === '' && tls.insecureSkipVerify !== true && isHttpProtocol(protocol);
}

function discoveryOf(inputs: OutboundClusterInputs, isPassedThrough: boolean): ClusterInit {
  const { service, port, subset, destination, endpoints, isExplicit, mesh } = inputs;
  const type = (value: Cluster_DiscoveryType): ClusterInit => ({
    clusterDiscoveryType: { case: 'type', value },
  });
  const name = outboundCluster(service.hostname, port.number, subset);
  if (isPassedThrough || (service.resolution === 'original-destination' && !isExplicit)) {
    // No load balancing: the cluster goes where the client wanted to go.
    return {
      ...type(Cluster_DiscoveryType.ORIGINAL_DST),
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      lbConfig: { case: undefined },
    };
  }
  if (service.resolution === 'dns' || service.resolution === 'dns-round-robin') {
    return {
      ...type(service.resolution === 'dns' ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.LOGICAL_DNS),
      dnsRefreshRate: milliseconds(mesh.config.dnsRefreshRateMs),
      respectDnsTtl: true,
      loadAssignment: loadAssignment({
        name,
        endpoints,
        port: port.number,
        labels: subsetLabels(destination, subset),
        preference: preferenceOf(inputs),
      }),
    };
  }
  return {
    ...type(Cluster_DiscoveryType.EDS),
    edsClusterConfig: {
      serviceName: name,
      edsConfig: {
        resourceApiVersion: ApiVersion.V3,
        initialFetchTimeout: milliseconds(0),
        configSourceSpecifier: { case: 'ads', value: {} },
      },
    },
  };
}

function istioMetadata(inputs: OutboundClusterInputs) {
  const { service, port, subset, destination } = inputs;
  const rule = destination?.rules[0];
  return {
    ...(rule === undefined ? {} : { config: configPath(rule) }),
    default_original_port: port.number,
    services: [{ host: service.hostname, name: service.name, namespace: service.namespace }],
    ...(subset === '' ? {} : { subset }),
  };
}
