import { ADDRESSES_ANNOTATION, PROXY_TYPE_ANNOTATION } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';

/** What the proxies of one workload are, by those who run the mesh: what they say of themselves has to fit. */
export interface WorkloadBinding {
  /** For messages, such as `WorkloadGroup default/reviews-v1`. */
  readonly source: string;
  readonly serviceAccount: string;
  readonly proxyType: 'sidecar' | 'router';
  readonly labels: Readonly<Record<string, string>>;
  /** Where the ports are by name; empty: where the proxy says. */
  readonly ports: Readonly<Record<string, number>>;
  /** Where the workload may be; empty: where the proxy says. */
  readonly addresses: readonly string[];
  /** `''`: what the proxy says. */
  readonly network: string;
  /** `''`: what the proxy says. */
  readonly locality: string;
}

/** By `namespace/workload`. */
export type Bindings = ReadonlyMap<string, WorkloadBinding>;

type PodMaker = Config<'Deployment'> | Config<'StatefulSet'> | Config<'DaemonSet'>;

export interface BindingSources {
  readonly workloadGroups: readonly Config<'WorkloadGroup'>[];
  /** The platform's word for workloads that have no WorkloadGroup. */
  readonly podMakers: readonly PodMaker[];
  readonly pods: readonly Config<'Pod'>[];
}

/** The workloads that configuration describes: by a WorkloadGroup, or else as the platform does. */
export function bindingsOf({ workloadGroups, podMakers, pods }: BindingSources): Bindings {
  const found = new Map<string, WorkloadBinding>();
  const add = (config: { readonly key: Config<'Pod'>['key'] }, binding: WorkloadBinding) => {
    const id = `${config.key.namespace}/${config.key.name}`;
    if (!found.has(id)) found.set(id, binding);
  };
  for (const group of workloadGroups) add(group, ofWorkloadGroup(group));
  for (const maker of podMakers) add(maker, ofPodMaker(maker));
  for (const pod of pods) add(pod, ofPod(pod));
  return found;
}

function ofWorkloadGroup(group: Config<'WorkloadGroup'>): WorkloadBinding {
  const { metadata, template } = group.spec;
  const addresses = group.annotations[ADDRESSES_ANNOTATION];
  return {
    ...described(group, group.annotations),
    serviceAccount: template?.serviceAccount || 'default',
    labels: { ...metadata?.labels, ...template?.labels },
    ports: template?.ports ?? {},
    addresses: addresses === undefined ? [] : addresses.split(',').map((address) => address.trim()),
    network: template?.network ?? '',
    locality: template?.locality ?? '',
  };
}

function ofPodMaker(maker: PodMaker): WorkloadBinding {
  const { template } = maker.spec;
  return {
    ...described(maker, { ...template.annotations, ...maker.annotations }),
    ...UNBOUND_PLACE,
    serviceAccount: template.pod.serviceAccountName,
    labels: template.labels,
  };
}

function ofPod(pod: Config<'Pod'>): WorkloadBinding {
  const { spec, labels, annotations } = pod;
  return { ...described(pod, annotations), ...UNBOUND_PLACE, serviceAccount: spec.serviceAccountName, labels };
}

const UNBOUND_PLACE = { ports: {}, addresses: [], network: '', locality: '' } as const;

function described(
  { type, key }: Pick<Config<'WorkloadGroup'> | PodMaker | Config<'Pod'>, 'type' | 'key'>,
  annotations: Readonly<Record<string, string>>,
): Pick<WorkloadBinding, 'source' | 'proxyType'> {
  return {
    source: `${type} ${key.namespace}/${key.name}`,
    proxyType: annotations[PROXY_TYPE_ANNOTATION] === 'router' ? 'router' : 'sidecar',
  };
}
