import { allKinds, FAULT_CODES, findKind, isIstioGroup, splitApiVersion, suggest } from '@flotilla/model';
import type { FaultList, FieldPath, KindEntry } from '@flotilla/model';
import { unknownKind } from './header.ts';

/** What becomes of a document, by its apiVersion and kind. */
export type KindDecision =
  | { readonly type: 'known'; readonly entry: KindEntry }
  /** It means nothing to a mesh. */
  | { readonly type: 'ignored'; readonly isNamespaced: boolean }
  /** A fault says why. */
  | { readonly type: 'refused' };

// Kinds of Kubernetes' core and apps groups beside those that are read. Others in these groups are misspelt.
const OTHER_KUBERNETES_KINDS: ReadonlyMap<string, readonly string[]> = new Map([
  [
    '',
    [
      'Binding',
      'ConfigMap',
      'Endpoints',
      'Event',
      'LimitRange',
      'Node',
      'PersistentVolume',
      'PersistentVolumeClaim',
      'PodTemplate',
      'ReplicationController',
      'ResourceQuota',
      'Secret',
    ],
  ],
  ['apps', ['ControllerRevision', 'ReplicaSet']],
]);

const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  'APIService',
  'CertificateSigningRequest',
  'ClusterIssuer',
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'FlowSchema',
  'IngressClass',
  'MutatingWebhookConfiguration',
  'Node',
  'PersistentVolume',
  'PodSecurityPolicy',
  'PriorityClass',
  'RuntimeClass',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
]);

// Groups whose resources direct traffic: passing over one would leave its traffic as it was, without a word.
const UNSUPPORTED_GROUPS: ReadonlyMap<string, string> = new Map([
  ['gateway.networking.k8s.io', 'the Gateway API is not supported yet'],
  ['gateway.networking.x-k8s.io', 'the Gateway API is not supported yet'],
  ['inference.networking.k8s.io', 'the Gateway API is not supported yet'],
]);

export function decideKind(apiVersion: string, kind: string, faults: FaultList, path: FieldPath = []): KindDecision {
  const { group, version } = splitApiVersion(apiVersion);
  const entry = findKind(group, kind);
  if (entry !== null) {
    if (entry.versions.includes(version)) return { type: 'known', entry };
    const served = entry.versions.map((each) => (group === '' ? each : `${group}/${each}`)).join(', ');
    unknownKind(faults, [...path, 'apiVersion'], `${kind} has no version ${apiVersion}`, `Served: ${served}.`);
    return { type: 'refused' };
  }
  const unsupported = UNSUPPORTED_GROUPS.get(group);
  if (unsupported !== undefined) {
    faults.add({
      severity: 'error',
      code: FAULT_CODES.unsupported,
      path: [...path, 'kind'],
      subject: 'value',
      message: `${kind}: ${unsupported}`,
      hint: 'Write it as Gateway and VirtualService of networking.istio.io. If it were ignored, its traffic would not be routed.',
    });
    return { type: 'refused' };
  }
  const others = OTHER_KUBERNETES_KINDS.get(group);
  if (!isIstioGroup(group) && (others === undefined || others.includes(kind))) {
    return { type: 'ignored', isNamespaced: !CLUSTER_SCOPED.has(kind) };
  }
  unknownKind(faults, [...path, 'kind'], `unknown kind ${kind} in ${apiVersion}`, hintFor(group, kind, others ?? []));
  return { type: 'refused' };
}

function hintFor(group: string, kind: string, others: readonly string[]): string {
  const elsewhere = allKinds().find((entry) => entry.kind === kind);
  if (elsewhere !== undefined) {
    const prefix = elsewhere.group === '' ? '' : `${elsewhere.group}/`;
    return `${kind} belongs to ${prefix}${elsewhere.versions[0]}.`;
  }
  const here = allKinds().filter((entry) => entry.group === group);
  const near = suggest(kind, [...here.map((entry) => entry.kind), ...others]);
  if (near !== null) return `Did you mean "${near}"?`;
  return here.length === 0 ? '' : `Kinds known here: ${here.map((entry) => entry.kind).join(', ')}.`;
}
