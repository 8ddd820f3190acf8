import { isDeepStrictEqual } from 'node:util';
import { labelsMatch } from '@flotilla/model';
import { compareText, type Config } from '../mesh/config.ts';
import { portMtls, workloadMtls, type WorkloadMtls } from '../mesh/peer-authentication.ts';
import type { MeshSettings } from '../mesh/settings.ts';
import { externalNameEndpoints, listedEndpoints, type MtlsOf, selectedEndpoints } from './endpoints.ts';
import { kubernetesService, podFact, type PodResource } from './kubernetes-services.ts';
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
}

export const emptyRegistry: Registry = { services: [], endpoints: new Map() };

export interface RegistrySources {
  readonly services: readonly Config<'Service'>[];
  readonly pods: readonly PodResource[];
  readonly serviceEntries: readonly Config<'ServiceEntry'>[];
  readonly workloadEntries: readonly Config<'WorkloadEntry'>[];
  readonly peerAuthentications: readonly Config<'PeerAuthentication'>[];
}

/**
 * Builds the registry anew, keeping every service and endpoint set of `previous` whose content is the same, so that the
 * identity of an object tells whether it changed.
 */
export function buildRegistry(previous: Registry, sources: RegistrySources, mesh: MeshSettings): Registry {
  const workloads = [...sources.workloadEntries].sort(byName).map(workloadOf);
  const pods = sources.pods.map(podFact);
  const mtlsOf = mtlsLookup(sources.peerAuthentications, mesh);
  const before = new Map(previous.services.map((service) => [service.id, service]));
  const services: Service[] = [];
  const endpoints = new Map<string, EndpointSet>();

  const add = (fresh: Service, endpointsOf: (service: Service) => EndpointSet) => {
    const service = reuse(before.get(fresh.id), fresh);
    services.push(service);
    endpoints.set(service.id, reuse(previous.endpoints.get(service.id), endpointsOf(service)));
  };

  for (const resource of sources.services) {
    add(kubernetesService(resource, pods, workloads, mesh), (service) =>
      resource.spec.type === 'ExternalName'
        ? externalNameEndpoints(service, resource.spec.externalName)
        : selectedEndpoints(service, workloads, mtlsOf),
    );
  }
  for (const resource of sources.serviceEntries) {
    for (const declared of serviceEntryServices(resource, mesh)) {
      add(withSelectedIdentities(declared, workloads, mesh), (service) =>
        service.selector === null
          ? listedEndpoints(service, resource, mtlsOf)
          : selectedEndpoints(service, workloads, mtlsOf),
      );
    }
  }
  services.sort(byPrecedence);
  return { services, endpoints };
}

/** A ServiceEntry over workloads of the mesh takes their identities, unless it names the accepted ones itself. */
function withSelectedIdentities(service: Service, workloads: readonly Workload[], mesh: MeshSettings): Service {
  const { selector, namespace } = service;
  if (selector === null || service.subjectAltNames.length > 0) return service;
  const members = workloads.filter(
    (workload) => workload.namespace === namespace && labelsMatch(selector, workload.labels),
  );
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
