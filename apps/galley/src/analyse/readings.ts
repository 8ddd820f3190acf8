import { delegatesOf, destinationsOf, gatewaysOf, hostsOf, isInMesh } from '@flotilla/model';
import type { AnyMeshResource, MeshResourceOf } from '@flotilla/model';
import { HostIndex } from '../set/host-index.ts';
import { ResourceIndex } from '../set/resource-index.ts';
import { RivalIndex } from '../set/rival-index.ts';
import { SubsetIndex } from '../set/subset-index.ts';
import { ResourceTable } from '../set/resource-table.ts';

type VirtualServiceResource = MeshResourceOf<'VirtualService'>;

const idOf = ({ key }: AnyMeshResource): readonly string[] => [`${key.namespace}/${key.name}`];
const meshHostsOf = (resource: VirtualServiceResource): readonly string[] =>
  isInMesh(resource) ? hostsOf(resource) : [];

// Who names what.
const destinations = new ResourceIndex(
  ['VirtualService'],
  (resource) => [...new Set(destinationsOf(resource).map(({ host }) => host))],
  () => new HostIndex(),
);
const gatewayNames = new ResourceIndex(
  ['VirtualService'],
  (resource) => gatewaysOf(resource).map(({ id }) => id),
  () => new HostIndex(),
);
const delegateNames = new ResourceIndex(
  ['VirtualService'],
  (resource) => delegatesOf(resource).map(({ id }) => id),
  () => new HostIndex(),
);
const meshHosts = new ResourceIndex(['VirtualService'], meshHostsOf, () => new HostIndex());

// Who goes by what.
const services = new ResourceIndex(['Service', 'ServiceEntry'], hostsOf, () => new HostIndex());
const subsets = new ResourceIndex(['DestinationRule'], hostsOf, () => new SubsetIndex());
const gateways = new ResourceIndex(['Gateway'], idOf, () => new ResourceTable<MeshResourceOf<'Gateway'>>());
const virtualServices = new ResourceIndex(['VirtualService'], idOf, () => new ResourceTable<VirtualServiceResource>());
const rivals = new ResourceIndex(['VirtualService'], meshHostsOf, () => new RivalIndex());

/** The services that a VirtualService sends traffic to. */
export const DESTINATION_SERVICES = {
  named: destinations,
  among: services,
  fieldsOf: (resource: VirtualServiceResource) => destinationsOf(resource).map(({ path }) => [...path, 'host']),
};

/** The subsets that DestinationRules define for the services that a VirtualService sends traffic to. */
export const DESTINATION_SUBSETS = {
  named: destinations,
  among: subsets,
  fieldsOf: (resource: VirtualServiceResource) => destinationsOf(resource).map(({ path }) => [...path, 'subset']),
};

/** The Gateways that a VirtualService binds to. */
export const BOUND_GATEWAYS = {
  named: gatewayNames,
  among: gateways,
  fieldsOf: (resource: VirtualServiceResource) => gatewaysOf(resource).map(({ path }) => path),
};

/** The VirtualServices that one delegates to. */
export const DELEGATES = {
  named: delegateNames,
  among: virtualServices,
  fieldsOf: (resource: VirtualServiceResource) => delegatesOf(resource).map(({ path }) => path),
};

/** The VirtualServices that route in the mesh for hosts of another. */
export const MESH_RIVALS = {
  named: meshHosts,
  among: rivals,
  fieldsOf: ({ spec }: VirtualServiceResource) => spec.hosts.map((_, index) => ['spec', 'hosts', index]),
};
