import type { WorkloadEntry } from '@flotilla/wire/istio/networking/v1alpha3/workload_entry_pb.js';
import type { Config } from '../mesh/config.ts';
import type { MtlsMode } from '../mesh/peer-authentication.ts';
import { clusterOf, networkOf } from './topology.ts';
import { TLS_MODE_LABEL } from './workloads.ts';
import type { Endpoint, EndpointSet, Service, ServicePort, Workload } from './service.ts';

/** The mTLS mode in force at a workload's port. */
export type MtlsOf = (workload: Workload, port: number) => MtlsMode;

/** The endpoints of a service that selects workloads by label: one per workload, in their order. */
export function selectedEndpoints(service: Service, members: readonly Workload[], mtlsOf: MtlsOf): EndpointSet {
  return endpointSet(service, (port) => members.map((member) => endpointOf(member, port, mtlsOf, service)));
}

/** The endpoints that a ServiceEntry lists; a DNS service without any is its own endpoint. */
export function listedEndpoints(service: Service, entry: Config<'ServiceEntry'>, mtlsOf: MtlsOf): EndpointSet {
  const isDns = service.resolution === 'dns' || service.resolution === 'dns-round-robin';
  const listed = entry.spec.endpoints;
  const members =
    listed.length === 0 && isDns && !service.hostname.startsWith('*')
      ? [workloadAt(service.hostname, service)]
      : listed.map((endpoint, index) => listedWorkload(endpoint, entry, index));
  return endpointSet(service, (port) => members.map((member) => endpointOf(member, port, mtlsOf, service)));
}

/** Where an `ExternalName` Service leads. */
export function externalNameEndpoints(service: Service, externalName: string): EndpointSet {
  const member = workloadAt(externalName, service);
  return endpointSet(service, (port) => [endpointOf(member, port, () => 'DISABLE', service)]);
}

function endpointSet(service: Service, endpointsOf: (port: ServicePort) => Endpoint[]): EndpointSet {
  return {
    serviceId: service.id,
    hostname: service.hostname,
    byPort: new Map(service.ports.map((port) => [port.number, endpointsOf(port)])),
  };
}

function endpointOf(workload: Workload, port: ServicePort, mtlsOf: MtlsOf, { cluster }: Service): Endpoint {
  const declared = typeof port.target === 'number' ? port.target : (workload.portsByName[port.target] ?? port.number);
  const isSocket = workload.address.startsWith('/');
  return {
    address: workload.address,
    port: isSocket ? 0 : (workload.portsByName[port.name] ?? workload.portsByTarget[String(declared)] ?? declared),
    labels: workload.labels,
    workload: workload.name,
    namespace: workload.namespace,
    serviceAccount: workload.serviceAccount,
    tlsMode: workload.hasSidecar && mtlsOf(workload, declared) !== 'DISABLE' ? 'istio' : 'disabled',
    weight: workload.weight,
    locality: workload.locality,
    network: workload.network,
    cluster: workload.cluster || cluster,
  };
}

function workloadAt(address: string, service: Service): Workload {
  return {
    name: service.name,
    namespace: service.namespace,
    address,
    labels: {},
    serviceAccount: 'default',
    locality: '',
    network: '',
    cluster: '',
    weight: 1,
    portsByName: {},
    portsByTarget: {},
    hasSidecar: false,
  };
}

function listedWorkload(endpoint: WorkloadEntry, entry: Config<'ServiceEntry'>, index: number): Workload {
  return {
    name: `${entry.key.name}-${index}`,
    namespace: entry.key.namespace,
    address: endpoint.address.replace(/^unix:\/\//, ''),
    labels: endpoint.labels,
    serviceAccount: endpoint.serviceAccount || 'default',
    locality: endpoint.locality,
    network: networkOf(endpoint.labels, endpoint.network),
    cluster: clusterOf(endpoint.labels, ''),
    weight: endpoint.weight || 1,
    portsByName: endpoint.ports,
    portsByTarget: {},
    hasSidecar: endpoint.labels[TLS_MODE_LABEL] === 'istio',
  };
}
