import {
  ServiceEntry_Location,
  ServiceEntry_Resolution,
} from '@flotilla/wire/istio/networking/v1alpha3/service_entry_pb.js';
import { selectorOf } from '@flotilla/model';
import { protocolOfField } from './protocol.ts';
import type { Config } from '../mesh/config.ts';
import type { MeshSettings } from '../mesh/settings.ts';
import type { Resolution, Service } from './service.ts';
import { clusterOf, networkOf } from './topology.ts';

/** One service per host of a ServiceEntry. */
export function serviceEntryServices(resource: Config<'ServiceEntry'>, mesh: MeshSettings): Service[] {
  const { spec, key } = resource;
  return spec.hosts.map((hostname) => ({
    id: `ServiceEntry/${key.namespace}/${key.name}/${hostname}`,
    hostname,
    name: hostname,
    namespace: key.namespace,
    ports: spec.ports.map((port) => ({
      name: port.name,
      number: port.number,
      target: port.targetPort || port.number,
      protocol: protocolOfField(port.protocol),
    })),
    addresses: spec.addresses,
    resolution: resolutionOf(spec.resolution),
    isHeadless: false,
    isExternal: spec.location === ServiceEntry_Location.MESH_EXTERNAL,
    source: 'service-entry',
    exportTo: spec.exportTo.length > 0 ? spec.exportTo : [...mesh.config.defaultServiceExportTo],
    selector: selectorOf(resource),
    subjectAltNames: [...spec.subjectAltNames].sort(),
    createdAtMs: resource.createdAtMs,
    cluster: clusterOf(resource.labels, mesh.clusterId),
    network: networkOf(resource.labels),
  }));
}

function resolutionOf(resolution: ServiceEntry_Resolution): Resolution {
  switch (resolution) {
    case ServiceEntry_Resolution.STATIC:
      return 'eds';
    case ServiceEntry_Resolution.DNS:
      return 'dns';
    case ServiceEntry_Resolution.DNS_ROUND_ROBIN:
      return 'dns-round-robin';
    case ServiceEntry_Resolution.NONE:
    case ServiceEntry_Resolution.DYNAMIC_DNS:
      return 'original-destination';
  }
}
