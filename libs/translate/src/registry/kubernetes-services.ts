import { EXPORT_TO_ANNOTATION, portProtocol, selectorOf, serviceHost } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';
import type { MeshSettings } from '../mesh/settings.ts';
import { identities } from './identities.ts';
import type { Service, Workload } from './service.ts';
import { clusterOf, networkOf } from './topology.ts';

/** What makes pods, or is one: a source of the identities a service may have before any workload runs. */
export interface PodFact {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly portsByName: Readonly<Record<string, number>>;
}

export type PodResource = Config<'Deployment'> | Config<'StatefulSet'> | Config<'DaemonSet'> | Config<'Pod'>;

const known = new WeakMap<PodResource, PodFact>();

/** One object for one resource. */
export function podFact(resource: PodResource): PodFact {
  const fact = known.get(resource) ?? readPod(resource);
  known.set(resource, fact);
  return fact;
}

function readPod(resource: PodResource): PodFact {
  const { labels, pod } =
    resource.type === 'Pod' ? { labels: resource.labels, pod: resource.spec } : resource.spec.template;
  return {
    namespace: resource.key.namespace,
    labels,
    serviceAccount: pod.serviceAccountName,
    portsByName: Object.fromEntries(
      pod.containers.flatMap((container) =>
        container.ports.filter((port) => port.name !== '').map((port) => [port.name, port.containerPort] as const),
      ),
    ),
  };
}

/**
 * A Kubernetes Service, with the pods and workloads it selects, as a service of the mesh. Target ports named after a container port are resolved by the pods of
 * the service where one declares it.
 */
export function kubernetesService(
  resource: Config<'Service'>,
  ownPods: readonly PodFact[],
  ownWorkloads: readonly Workload[],
  mesh: MeshSettings,
): Service {
  const { spec, key } = resource;
  const isHeadless = spec.clusterIP === 'None';
  const addresses = spec.clusterIPs.length > 0 ? spec.clusterIPs : [spec.clusterIP];
  const exportTo = resource.annotations[EXPORT_TO_ANNOTATION]?.split(',').map((entry) => entry.trim());
  return {
    id: `Service/${key.namespace}/${key.name}`,
    hostname: serviceHost(key.name, key.namespace, mesh.domainSuffix),
    name: key.name,
    namespace: key.namespace,
    ports: spec.ports.map((port) => ({
      name: port.name,
      number: port.port,
      target:
        typeof port.targetPort === 'number'
          ? port.targetPort
          : (ownPods.find((pod) => pod.portsByName[port.targetPort] !== undefined)?.portsByName[port.targetPort] ??
            port.targetPort),
      protocol: portProtocol({
        name: port.name,
        port: port.port,
        transport: port.protocol,
        appProtocol: port.appProtocol,
      }),
    })),
    addresses: addresses.filter((address) => address !== '' && address !== 'None'),
    resolution: spec.type === 'ExternalName' ? 'dns' : isHeadless ? 'original-destination' : 'eds',
    isHeadless,
    isExternal: spec.type === 'ExternalName',
    source: 'kubernetes',
    exportTo: exportTo ?? [...mesh.config.defaultServiceExportTo],
    selector: selectorOf(resource),
    subjectAltNames: identities([...ownPods, ...ownWorkloads], mesh.trustDomain),
    createdAtMs: resource.createdAtMs,
    cluster: clusterOf(resource.labels, mesh.clusterId),
    network: networkOf(resource.labels),
  };
}
