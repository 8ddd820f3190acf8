import { selectorOf } from '@flotilla/model';
import { isDeepStrictEqual } from 'node:util';
import { compareText, type Config } from '../mesh/config.ts';
import { portMtls, workloadMtls, type WorkloadMtls } from '../mesh/peer-authentication.ts';
import type { MeshSettings } from '../mesh/settings.ts';
import { externalNameEndpoints, listedEndpoints, type MtlsOf, selectedEndpoints } from './endpoints.ts';
import { kubernetesService, podFact, type PodResource } from './kubernetes-services.ts';
import { LabelIndex } from './label-index.ts';
import { identities } from './identities.ts';
import { serviceEntryServices } from './service-entries.ts';
import type { EndpointSet, Service, Workload } from './service.ts';
import { workloadOf } from './workloads.ts';

/** The services of the mesh and who serves them. */
export interface Registry {
  /** By hostname, then by precedence: Kubernetes services first, then the oldest. */
  readonly services: readonly Service[];
  /** By service id. */
  readonly endpoints: ReadonlyMap<string, EndpointSet>;
  /** By service id, what it was made from: the same again gives the same. */
  readonly made: ReadonlyMap<string, Made>;
}

interface Made {
  readonly from: readonly object[];
  readonly service: Service;
  readonly endpoints: EndpointSet;
}

export const emptyRegistry: Registry = { services: [], endpoints: new Map(), made: new Map() };

export interface RegistrySources {
  readonly services: readonly Config<'Service'>[];
  readonly pods: readonly PodResource[];
  readonly serviceEntries: readonly Config<'ServiceEntry'>[];
  readonly workloadEntries: readonly Config<'WorkloadEntry'>[];
  readonly peerAuthentications: readonly Config<'PeerAuthentication'>[];
}

/**
 * Builds the registry anew, keeping every service and endpoint set of `previous` whose content is the same, so that the
 * identity of an object tells whether it changed. What is made from the same parts is not even made again.
 */
export function buildRegistry(previous: Registry, sources: RegistrySources, mesh: MeshSettings): Registry {
  const workloads = new LabelIndex([...sources.workloadEntries].sort(byName).map(workloadOf));
  const pods = new LabelIndex(sources.pods.map(podFact));
  const policies = sources.peerAuthentications;
  const mtlsOf = mtlsLookup(policies, mesh);
  const made = new Map<string, Made>();

  const add = (id: string, from: readonly object[], make: () => Service, serve: (service: Service) => EndpointSet) => {
    const before = previous.made.get(id);
    const isSame = before?.from.length === from.length && from.every((part, index) => part === before.from[index]);
    if (isSame) {
      made.set(id, before);
      return;
    }
    const service = reuse(before?.service, make());
    made.set(id, { from, service, endpoints: reuse(before?.endpoints, serve(service)) });
  };

  for (const resource of sources.services) {
    const { namespace, name } = resource.key;
    const selector = selectorOf(resource);
    const members = workloads.select(namespace, selector);
    const ownPods = pods.select(namespace, selector);
    add(
      `Service/${namespace}/${name}`,
      [resource, policies, ...members, ...ownPods],
      () => kubernetesService(resource, ownPods, members, mesh),
      (service) =>
        resource.spec.type === 'ExternalName'
          ? externalNameEndpoints(service, resource.spec.externalName)
          : selectedEndpoints(service, members, mtlsOf),
    );
  }
  for (const resource of sources.serviceEntries) {
    for (const declared of serviceEntryServices(resource, mesh)) {
      const members = workloads.select(declared.namespace, declared.selector);
      add(
        declared.id,
        [resource, policies, ...members],
        () => withIdentities(declared, members, mesh),
        (service) =>
          service.selector === null
            ? listedEndpoints(service, resource, mtlsOf)
            : selectedEndpoints(service, members, mtlsOf),
      );
    }
  }
  const services = [...made.values()].map(({ service }) => service).sort(byPrecedence);
  return { services, endpoints: new Map([...made].map(([id, { endpoints }]) => [id, endpoints])), made };
}

/** A ServiceEntry over workloads of the mesh takes their identities, unless it names the accepted ones itself. */
function withIdentities(service: Service, members: readonly Workload[], mesh: MeshSettings): Service {
  if (service.selector === null || service.subjectAltNames.length > 0) return service;
  return { ...service, subjectAltNames: identities(members, mesh.trustDomain) };
}

function mtlsLookup(policies: readonly Config<'PeerAuthentication'>[], mesh: MeshSettings): MtlsOf {
  const known = new Map<Workload, WorkloadMtls>();
  return (workload, port) => {
    let modes = known.get(workload);
    if (modes === undefined) {
      modes = workloadMtls(policies, workload, mesh.rootNamespace);
      known.set(workload, modes);
    }
    return portMtls(modes, port);
  };
}

function byName(a: Config<'WorkloadEntry'>, b: Config<'WorkloadEntry'>): number {
  return compareText(a.key.namespace, b.key.namespace) || compareText(a.key.name, b.key.name);
}

function byPrecedence(a: Service, b: Service): number {
  return (
    compareText(a.hostname, b.hostname) ||
    Number(b.source === 'kubernetes') - Number(a.source === 'kubernetes') ||
    a.createdAtMs - b.createdAtMs ||
    compareText(a.id, b.id)
  );
}

/** `previous` when it says the same as `fresh`. */
export function reuse<Value>(previous: Value | undefined, fresh: Value): Value {
  return previous !== undefined && isDeepStrictEqual(previous, fresh) ? previous : fresh;
}
