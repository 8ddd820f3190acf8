import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';
import type { Manifest } from './render.ts';

/** A Deployment or StatefulSet by what the checks ask of it. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly template: IPodTemplateSpec;
  readonly containers: readonly IContainer[];
  /** Names of the volumes that each replica of a StatefulSet gets for itself. */
  readonly claims: readonly string[];
}

interface WorkloadSpec {
  readonly template: IPodTemplateSpec;
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

export const workloadKinds = ['Deployment', 'StatefulSet'];

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => workloadKinds.includes(kind))
    .map((manifest) => {
      // Both kinds have a template, one has claims, and the schemas were asked before.
      const { template, volumeClaimTemplates = [] } = (manifest as Manifest & { readonly spec: WorkloadSpec }).spec;
      const { initContainers = [], containers = [] } = template.spec ?? {};
      return {
        name: manifest.metadata.name,
        namespace: manifest.metadata.namespace ?? 'default',
        template,
        containers: [...initContainers, ...containers],
        claims: volumeClaimTemplates.map(({ metadata }) => metadata.name),
      };
    });
}
