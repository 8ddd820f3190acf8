import { flag, integer, list, oneOf, record, required, text, textMap } from '../decode/shape.ts';
import type { Shape } from '../decode/shape.ts';

export interface KubernetesContainerPort {
  readonly name: string;
  readonly containerPort: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

export interface KubernetesContainer {
  readonly name: string;
  readonly ports: readonly KubernetesContainerPort[];
}

/** What a mesh reads of a pod, or of the template that makes pods. */
export interface KubernetesPod {
  /** "default" unless written. */
  readonly serviceAccountName: string;
  readonly hostNetwork: boolean;
  readonly containers: readonly KubernetesContainer[];
}

/** What a mesh reads of a Deployment, StatefulSet or DaemonSet. */
export interface KubernetesWorkload {
  /** 1 unless written; a DaemonSet has no say in it. */
  readonly replicas: number;
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly template: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly pod: KubernetesPod;
  };
}

/** A kind of which a mesh reads the name and metadata only: ServiceAccount, Namespace. */
export type KubernetesNameOnly = Readonly<Record<string, never>>;

const container = record(
  {
    name: text(),
    ports: list(
      record({ name: text(), containerPort: required(integer(1, 65_535, 0)), protocol: oneOf('TCP', 'UDP', 'SCTP') }, [
        'hostIP',
        'hostPort',
      ]),
    ),
  },
  'any',
);

const podSpec = record(
  {
    serviceAccountName: text('default'),
    // The old name of serviceAccountName, which Kubernetes still accepts.
    serviceAccount: text(),
    hostNetwork: flag(),
    containers: list(container),
  },
  'any',
);

const pod: Shape<KubernetesPod> = (value, path, faults) => {
  const { serviceAccountName, serviceAccount, hostNetwork, containers } = podSpec(value, path, faults);
  const isOldNameUsed = serviceAccountName === 'default' && serviceAccount !== '';
  return { serviceAccountName: isOldNameUsed ? serviceAccount : serviceAccountName, hostNetwork, containers };
};

const workloadSpec = record(
  {
    replicas: integer(0, 2_147_483_647, 1),
    selector: record({ matchLabels: textMap() }, ['matchExpressions']),
    template: required(
      record({ metadata: record({ labels: textMap(), annotations: textMap() }, 'any'), spec: required(pod) }),
    ),
  },
  'any',
);

export const podShape: Shape<KubernetesPod> = (body, path, faults) =>
  record({ spec: required(pod) }, 'any')(body, path, faults).spec;

export const workloadShape: Shape<KubernetesWorkload> = (body, path, faults) => {
  const { spec } = record({ spec: required(workloadSpec) }, 'any')(body, path, faults);
  const { labels, annotations } = spec.template.metadata;
  return {
    replicas: spec.replicas,
    matchLabels: spec.selector.matchLabels,
    template: { labels, annotations, pod: spec.template.spec },
  };
};

export const nameOnlyShape: Shape<KubernetesNameOnly> = () => ({});
