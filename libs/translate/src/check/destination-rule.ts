import type { TrafficPolicy } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { isWildcard, type PortProtocol, resolveHost } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';
import type { DestinationPolicy } from '../mesh/destination-rules.ts';
import type { Endpoint, EndpointSet, Service, ServicePort } from '../registry/service.ts';
import { outboundClusterResource } from '../translate/cluster/outbound.ts';
import { effectivePolicy } from '../translate/cluster/policy.ts';
import { type Draft, routeDraft } from '../translate/draft.ts';
import { endpointResource } from '../translate/endpoint/load-assignment.ts';
import { localitySetting } from '../translate/endpoint/locality.ts';
import { defaultRoute, type VirtualHostInit } from '../translate/route/virtual-host.ts';
import { CHECK_SETTINGS } from './settings.ts';

/** HTTP of either version has options of its own; what is sniffed has both. */
const PROTOCOLS: readonly PortProtocol[] = ['HTTP2', 'auto'];
const ANY_PORT = 80;

/** Clusters, endpoints and routes for the ports and subsets that the rule says something of its own about. */
export function* destinationRuleSamples(rule: Config<'DestinationRule'>): Generator<Draft> {
  const { host, trafficPolicy, subsets } = rule.spec;
  const hostname = resolveHost(host, rule.key.namespace, CHECK_SETTINGS.domainSuffix);
  const destination: DestinationPolicy = { rules: [rule], trafficPolicy: trafficPolicy ?? null, subsets };
  const subjects: readonly (readonly [subset: string, policy: TrafficPolicy | undefined])[] = [
    ['', trafficPolicy],
    ...subsets.map((subset) => [subset.name, subset.trafficPolicy] as const),
  ];
  const virtualHosts: VirtualHostInit[] = [];
  for (const [subset, policy] of subjects) {
    const ports = (policy?.portLevelSettings ?? []).flatMap(({ port }) => port?.number ?? []);
    for (const number of new Set([ANY_PORT, ...ports])) {
      for (const protocol of PROTOCOLS) {
        const port = { name: 'port', number, target: number, protocol };
        const service = serviceOf(isWildcard(hostname) ? `host${hostname.slice(1)}` : hostname, port, rule);
        yield* clusterSamples({ service, port, subset, destination });
        if (subset !== '' || protocol !== 'HTTP2') continue;
        const hashed = [{ service, destination }];
        const routes = [defaultRoute(service, number, CHECK_SETTINGS, hashed)];
        virtualHosts.push({ name: `${number}`, domains: [`${service.hostname}:${number}`], routes });
      }
    }
  }
  yield routeDraft('http_proxy', {
    name: 'http_proxy',
    virtualHosts,
    validateClusters: false,
  });
}

interface Subject {
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: string;
  readonly destination: DestinationPolicy;
}

function* clusterSamples(subject: Subject): Generator<Draft> {
  const { service, port, subset, destination } = subject;
  const setting = localitySetting(effectivePolicy(destination, subset, port.number), CHECK_SETTINGS);
  const locality = { localitySetting: setting, locality: setting === null ? '' : LOCALITY, localityLabels: [] };
  const shared = { service, port, subset, destination, endpoints: null, isExplicit: false, mesh: CHECK_SETTINGS };
  const cluster = outboundClusterResource({ ...shared, ...locality });
  yield cluster;
  yield endpointResource({
    name: cluster.name,
    endpoints: endpointsOf(service, port),
    port: port.number,
    subsetLabels: null,
    ...locality,
  });
}

const LOCALITY = 'region/zone/subzone';

function serviceOf(hostname: string, port: ServicePort, { key }: Config<'DestinationRule'>): Service {
  return {
    id: `check/${hostname}`,
    hostname,
    name: hostname,
    namespace: key.namespace,
    ports: [port],
    addresses: [],
    resolution: 'eds',
    isHeadless: false,
    isExternal: false,
    source: 'kubernetes',
    exportTo: [],
    selector: null,
    subjectAltNames: [],
    createdAtMs: 0,
    cluster: CHECK_SETTINGS.clusterId,
    network: '',
  };
}

function endpointsOf(service: Service, port: ServicePort): EndpointSet {
  const endpoint = (address: string, locality: string): Endpoint => ({
    address,
    port: port.number,
    labels: {},
    workload: 'workload',
    namespace: service.namespace,
    serviceAccount: 'default',
    tlsMode: 'istio',
    weight: 1,
    locality,
    network: '',
    cluster: CHECK_SETTINGS.clusterId,
  });
  const endpoints = [endpoint('192.0.2.1', LOCALITY), endpoint('192.0.2.2', 'elsewhere/zone')];
  return { serviceId: service.id, hostname: service.hostname, byPort: new Map([[port.number, endpoints]]) };
}
