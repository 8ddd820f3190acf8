import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IService } from 'kubernetes-models/v1/Service';
import type { Manifest } from './render.ts';
import { type Workload, workloadsOf } from './workloads.ts';

type Labels = Readonly<Record<string, string>>;

/** Every name in the manifests that names nothing in them, as one line each. The schemas hold for them already. */
export function danglingReferences(manifests: readonly Manifest[]): string[] {
  const workloads = workloadsOf(manifests);
  return [
    ...workloads.flatMap((workload) => [
      ...danglingMounts(workload, manifests),
      ...danglingPorts(workload),
      ...(has(manifests, 'ServiceAccount', workload.namespace, workload.template.spec?.serviceAccountName ?? '')
        ? []
        : [`${workload.name}: no ServiceAccount ${workload.template.spec?.serviceAccountName}`]),
    ]),
    ...ofKind<IService>(manifests, 'Service').flatMap((service) => danglingService(service, workloads)),
    ...[
      ...ofKind<IPodDisruptionBudget>(manifests, 'PodDisruptionBudget').map(({ metadata, spec }) => ({
        metadata,
        selector: spec?.selector,
      })),
      ...ofKind<INetworkPolicy>(manifests, 'NetworkPolicy').flatMap(({ metadata, spec }) => [
        { metadata, selector: spec?.podSelector },
        ...(spec?.ingress ?? [])
          .flatMap((rule) => rule.from ?? [])
          .map(({ podSelector }) => ({ metadata, selector: podSelector })),
      ]),
    ]
      .filter(
        ({ metadata, selector }) => selected(workloads, metadata?.namespace, selector?.matchLabels ?? {}).length === 0,
      )
      .map(({ metadata, selector }) => `${metadata?.name}: ${JSON.stringify(selector)} selects nothing`),
  ];
}

function ofKind<T>(manifests: readonly Manifest[], kind: string): (T & Manifest)[] {
  // What has the kind has the type: the schemas were asked before.
  return manifests.filter((manifest) => manifest.kind === kind) as (T & Manifest)[];
}

function has(manifests: readonly Manifest[], kind: string, namespace: string, name: string): boolean {
  return find(manifests, kind, namespace, name) !== undefined;
}

function find(manifests: readonly Manifest[], kind: string, namespace: string, name: string): Manifest | undefined {
  return manifests.find(
    ({ kind: of, metadata }) =>
      of === kind && metadata.name === name && (metadata.namespace ?? 'default') === namespace,
  );
}

function selected(workloads: readonly Workload[], namespace: string | undefined, labels: Labels): Workload[] {
  return workloads.filter(
    (workload) =>
      workload.namespace === namespace &&
      Object.entries(labels).every(([name, value]) => workload.template.metadata?.labels?.[name] === value),
  );
}

/** Volumes without a source, mounts without a volume, and `…_FILE`, `…_ROOTS`, `…_CONFIG` that no mount brings. */
function danglingMounts(workload: Workload, manifests: readonly Manifest[]): string[] {
  const faults: string[] = [];
  const keys = new Map<string, readonly string[]>();
  for (const { name, configMap, secret } of workload.template.spec?.volumes ?? []) {
    const [kind, source] = secret === undefined ? ['ConfigMap', configMap?.name] : ['Secret', secret.secretName];
    keys.set(name, []);
    if (source === undefined) continue;
    // A Secret has `data` too.
    const found = find(manifests, kind, workload.namespace, source) as (IConfigMap & Manifest) | undefined;
    if (found === undefined) faults.push(`${workload.name}: no ${kind} ${source} in ${workload.namespace}`);
    else keys.set(name, Object.keys(found.data ?? {}));
  }
  for (const container of workload.containers) {
    const paths = new Set<string>();
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      const files = keys.get(name);
      if (files === undefined) {
        if (!workload.claims.includes(name)) faults.push(`${workload.name}: no volume ${name}`);
        continue;
      }
      for (const path of [mountPath, ...files.map((file) => `${mountPath}/${file}`)]) paths.add(path);
    }
    for (const { name, value = '' } of container.env ?? []) {
      if (/_(FILE|ROOTS|CONFIG)$/.test(name) && !paths.has(value))
        faults.push(`${workload.name}: ${name}: no ${value} in the container`);
    }
  }
  return faults;
}

/** Probes of ports that their container does not have. */
function danglingPorts(workload: Workload): string[] {
  return workload.containers.flatMap(({ name, ports = [], startupProbe, readinessProbe, livenessProbe }) =>
    [startupProbe, readinessProbe, livenessProbe]
      .map((probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port)
      .filter((port) => port !== undefined && !ports.some((known) => known.name === port))
      .map((port) => `${workload.name}: ${name} has no port ${port}`),
  );
}

function danglingService({ metadata, spec }: IService & Manifest, workloads: readonly Workload[]): string[] {
  const behind = selected(workloads, metadata.namespace, spec?.selector ?? {});
  if (behind.length === 0) return [`Service ${metadata.name}: selects nothing`];
  return (spec?.ports ?? []).flatMap(({ targetPort }) =>
    behind
      .filter(({ containers }) => !containers.some(({ ports = [] }) => ports.some((port) => port.name === targetPort)))
      .map(({ name }) => `Service ${metadata.name}: ${name} has no port ${targetPort}`),
  );
}
