import { isDeepStrictEqual } from 'node:util';
import { type AnyMeshResource, isOfType, labelsMatch, selectorOf } from '@flotilla/model';
import { Memo, PairMemo } from '../identity.ts';
import { compareText, type Config } from '../mesh/config.ts';
import { portMtls, workloadMtls, type WorkloadMtls } from '../mesh/peer-authentication.ts';
import type { ResourceChange } from '../mesh/kind-lists.ts';
import type { MeshSettings } from '../mesh/settings.ts';
import { changeSorted } from '../sorted-list.ts';
import { externalNameEndpoints, listedEndpoints, type MtlsOf, selectedEndpoints } from './endpoints.ts';
import { kubernetesService, podFact, type PodResource } from './kubernetes-services.ts';
import { LabelIndex } from './label-index.ts';
import { identities } from './identities.ts';
import { selectingServices } from './selecting.ts';
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

type Source = Config<'Service'> | Config<'ServiceEntry'>;

interface Made {
  readonly from: readonly object[];
  readonly source: Source;
  /** The workloads it selects, by name. */
  readonly members: readonly Config<'WorkloadEntry'>[];
  readonly service: Service;
  readonly endpoints: EndpointSet;
}

export const emptyRegistry: Registry = { services: [], endpoints: new Map(), made: new Map() };

export interface RegistrySources {
  readonly services: readonly Config<'Service'>[];
  /** What makes pods, and pods, by kind. */
  readonly pods: readonly (readonly PodResource[])[];
  readonly serviceEntries: readonly Config<'ServiceEntry'>[];
  readonly workloadEntries: readonly Config<'WorkloadEntry'>[];
  readonly peerAuthentications: readonly Config<'PeerAuthentication'>[];
}

/**
 * The registry after changes, of which `sources` are the outcome; `null`: anything may have changed. Only the services that
 * a change is about are looked at, and every service and endpoint set whose content is the same is kept, so that the
 * identity of an object tells whether it changed.
 */
export function updateRegistry(
  previous: Registry,
  sources: RegistrySources,
  changes: readonly ResourceChange[] | null,
  settings: MeshSettings,
): Registry {
  const maker = new Maker(previous, sources, settings);
  // Policies say how each endpoint is spoken to.
  const isWhole =
    changes === null || changes.some(({ before, after }) => (before ?? after)?.type === 'PeerAuthentication');
  if (isWhole) return finish(previous, maker.makeAll(), new Set(previous.made.keys()));
  const stale = new Set<string>();
  const made = new Map<string, Made>();
  const put = (id: string, value: Made) => made.set(id, value);
  for (const { before, after } of changes) {
    for (const id of idsOf(before)) stale.add(id);
    if (after !== null && (isOfType(after, 'Service') || isOfType(after, 'ServiceEntry'))) maker.make(after, put);
  }
  for (const [id, members] of membersAfter(previous, changes)) {
    const known = previous.made.get(id);
    if (known === undefined || stale.has(id)) continue;
    stale.add(id);
    maker.remake(id, known, members, put);
  }
  return finish(previous, made, stale);
}

/** Services whose workloads or pods a change is about, with the workloads that they select after it. */
function membersAfter(previous: Registry, changes: readonly ResourceChange[]) {
  const changed = new Map<string, readonly Config<'WorkloadEntry'>[]>();
  for (const { before, after } of changes) {
    const touched = [before, after].flatMap((resource) => {
      const labelled = resource === null ? null : labelledOf(resource);
      return labelled === null ? [] : selectingServices(previous.services, labelled);
    });
    for (const service of new Set(touched)) {
      const members = changed.get(service.id) ?? previous.made.get(service.id)?.members ?? [];
      changed.set(service.id, changeSorted(members, selected(before, service), selected(after, service), byName));
    }
  }
  return changed;
}

/** The resource, if it is a workload that the service selects. */
function selected(resource: AnyMeshResource | null, service: Service): readonly Config<'WorkloadEntry'>[] {
  if (resource === null || !isOfType(resource, 'WorkloadEntry') || service.selector === null) return [];
  const { namespace, labels } = workloadOf(resource);
  return namespace === service.namespace && labelsMatch(service.selector, labels) ? [resource] : [];
}

/** What services select it by; `null` for what they do not select. */
function labelledOf(resource: AnyMeshResource) {
  if (isOfType(resource, 'WorkloadEntry')) return workloadOf(resource);
  return isPod(resource) ? podFact(resource) : null;
}

function isPod(resource: AnyMeshResource): resource is PodResource {
  return (
    isOfType(resource, 'Pod') ||
    isOfType(resource, 'Deployment') ||
    isOfType(resource, 'StatefulSet') ||
    isOfType(resource, 'DaemonSet')
  );
}

/** `previous` with what was made in the place of what is stale. */
function finish(previous: Registry, made: ReadonlyMap<string, Made>, stale: ReadonlySet<string>): Registry {
  const all = new Map(previous.made);
  const endpoints = new Map(previous.endpoints);
  const removed: Service[] = [];
  const added: Service[] = [];
  const changedSets: string[] = [];
  for (const id of new Set([...stale, ...made.keys()])) {
    const before = all.get(id);
    const after = made.get(id);
    if (before?.service !== after?.service) {
      if (before !== undefined) removed.push(before.service);
      if (after !== undefined) added.push(after.service);
    }
    if (before?.endpoints !== after?.endpoints) changedSets.push(id);
    if (after === undefined) {
      all.delete(id);
      endpoints.delete(id);
    } else {
      all.set(id, after);
      endpoints.set(id, after.endpoints);
    }
  }
  if (changedSets.length > 0) steps.set(endpoints, { since: new WeakRef(previous.endpoints), ids: changedSets });
  return {
    services: changeSorted(previous.services, removed, added, byPrecedence),
    endpoints: changedSets.length > 0 ? endpoints : previous.endpoints,
    made: all,
  };
}

type Endpoints = Registry['endpoints'];

/** How the endpoints came of those before, which are not kept for that. */
const steps = new WeakMap<Endpoints, { readonly since: WeakRef<Endpoints>; readonly ids: readonly string[] }>();

const differences = new PairMemo((previous: Endpoints, next: Endpoints): readonly string[] => [
  ...[...next].filter(([id, set]) => previous.get(id) !== set).map(([id]) => id),
  ...[...previous.keys()].filter((id) => !next.has(id)),
]);

/** Ids of the services whose endpoints differ. */
export function changedServices(previous: Endpoints, next: Endpoints): readonly string[] {
  if (previous === next) return [];
  const step = steps.get(next);
  return step?.since.deref() === previous ? step.ids : differences.get(previous, next);
}

/** Ids of the services that come of a resource. */
function idsOf(resource: AnyMeshResource | null): string[] {
  if (resource === null) return [];
  const { namespace, name } = resource.key;
  if (isOfType(resource, 'Service')) return [`Service/${namespace}/${name}`];
  if (!isOfType(resource, 'ServiceEntry')) return [];
  return resource.spec.hosts.map((host) => `ServiceEntry/${namespace}/${name}/${host}`);
}

const podIndexes = new Memo((pods: readonly PodResource[]) => new LabelIndex(pods.map(podFact)));
const entryIndexes = new Memo(
  (entries: readonly Config<'WorkloadEntry'>[]) =>
    new LabelIndex(
      [...entries].sort(byName).map((entry) => {
        const { namespace, labels } = workloadOf(entry);
        return { namespace, labels, entry };
      }),
    ),
);

type Put = (id: string, made: Made) => void;

/** Makes services and their endpoints; what is made from the same parts as before is not made again. */
class Maker {
  readonly #previous: Registry;
  readonly #sources: RegistrySources;
  readonly #settings: MeshSettings;
  readonly #mtlsOf: MtlsOf;

  constructor(previous: Registry, sources: RegistrySources, settings: MeshSettings) {
    this.#previous = previous;
    this.#sources = sources;
    this.#settings = settings;
    this.#mtlsOf = mtlsLookup(sources.peerAuthentications, settings);
  }

  makeAll(): ReadonlyMap<string, Made> {
    const made = new Map<string, Made>();
    for (const source of [...this.#sources.services, ...this.#sources.serviceEntries]) {
      this.make(source, (id, value) => made.set(id, value));
    }
    return made;
  }

  make(source: Source, put: Put): void {
    if (isOfType(source, 'Service')) {
      this.#ofService(source, this.#select(source.key.namespace, selectorOf(source)), put);
      return;
    }
    for (const declared of serviceEntryServices(source, this.#settings)) {
      this.#ofServiceEntry(source, declared, this.#select(declared.namespace, declared.selector), put);
    }
  }

  /** Makes one service again, with these workloads. */
  remake(id: string, { source }: Made, members: readonly Config<'WorkloadEntry'>[], put: Put): void {
    if (isOfType(source, 'Service')) this.#ofService(source, members, put);
    else {
      for (const declared of serviceEntryServices(source, this.#settings)) {
        if (declared.id === id) this.#ofServiceEntry(source, declared, members, put);
      }
    }
  }

  #ofService(source: Config<'Service'>, members: readonly Config<'WorkloadEntry'>[], put: Put): void {
    const { namespace, name } = source.key;
    const workloads = members.map(workloadOf);
    const pods = this.#sources.pods.flatMap((list) => podIndexes.get(list).select(namespace, selectorOf(source)));
    put(
      `Service/${namespace}/${name}`,
      this.#made(`Service/${namespace}/${name}`, {
        source,
        members,
        from: pods,
        service: () => kubernetesService(source, pods, workloads, this.#settings),
        endpoints: (service) =>
          source.spec.type === 'ExternalName'
            ? externalNameEndpoints(service, source.spec.externalName)
            : selectedEndpoints(service, workloads, this.#mtlsOf),
      }),
    );
  }

  #ofServiceEntry(
    source: Config<'ServiceEntry'>,
    declared: Service,
    members: readonly Config<'WorkloadEntry'>[],
    put: Put,
  ): void {
    const workloads = members.map(workloadOf);
    put(
      declared.id,
      this.#made(declared.id, {
        source,
        members,
        from: [],
        service: () => withIdentities(declared, workloads, this.#settings),
        endpoints: (service) =>
          service.selector === null
            ? listedEndpoints(service, source, this.#mtlsOf)
            : selectedEndpoints(service, workloads, this.#mtlsOf),
      }),
    );
  }

  #made(
    id: string,
    parts: Pick<Made, 'source' | 'members' | 'from'> & {
      readonly service: () => Service;
      readonly endpoints: (service: Service) => EndpointSet;
    },
  ): Made {
    const { source, members } = parts;
    const from = [this.#settings, source, this.#sources.peerAuthentications, ...members, ...parts.from];
    const before = this.#previous.made.get(id);
    if (before?.from.length === from.length && from.every((part, index) => part === before.from[index])) return before;
    const service = reuse(before?.service, parts.service());
    return { from, source, members, service, endpoints: reuse(before?.endpoints, parts.endpoints(service)) };
  }

  #select(namespace: string, selector: Readonly<Record<string, string>> | null): readonly Config<'WorkloadEntry'>[] {
    if (selector === null) return [];
    return entryIndexes
      .get(this.#sources.workloadEntries)
      .select(namespace, selector)
      .map(({ entry }) => entry);
  }
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
