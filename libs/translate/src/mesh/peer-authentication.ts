import { PeerAuthentication_MutualTLS_Mode as Mode } from '@flotilla/wire/istio/security/v1beta1/peer_authentication_pb.js';
import { type Labels, labelsMatch, selectorOf } from '@flotilla/model';
import { Memo } from '../identity.ts';
import { byAge, type Config } from './config.ts';

/** How a port takes connections: mTLS only, both, or plaintext only. */
export type MtlsMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

export interface AuthenticatedWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface WorkloadMtls {
  /** For ports without a setting of their own. */
  readonly mode: MtlsMode;
  readonly byPort: ReadonlyMap<number, MtlsMode>;
}

/**
 * The mTLS modes of a workload: the mesh's (a policy without selector in the root namespace), its namespace's, and those
 * of the oldest policy that selects it, each narrower one overriding; UNSET inherits; PERMISSIVE where nobody says
 * anything. Port-level settings count only in policies with a selector, as in Istio.
 */
export function workloadMtls(
  policies: readonly Config<'PeerAuthentication'>[],
  workload: AuthenticatedWorkload,
  rootNamespace: string,
): WorkloadMtls {
  const index = byNamespace.get(policies);
  const wide = (namespace: string) => index.get(namespace)?.wide ?? undefined;
  const own = index
    .get(workload.namespace)
    ?.selecting.find(({ selector }) => labelsMatch(selector, workload.labels))?.policy;
  let mode: MtlsMode = 'PERMISSIVE';
  for (const policy of [wide(rootNamespace), wide(workload.namespace), own]) {
    mode = modeOf(policy?.spec.mtls?.mode) ?? mode;
  }
  const byPort = new Map<number, MtlsMode>();
  for (const [port, mtls] of Object.entries(own?.spec.portLevelMtls ?? {})) {
    byPort.set(Number(port), modeOf(mtls.mode) ?? mode);
  }
  return { mode, byPort };
}

interface NamespacePolicies {
  /** The oldest first. */
  readonly selecting: { readonly policy: Config<'PeerAuthentication'>; readonly selector: Labels }[];
  /** The oldest without a selector. */
  wide: Config<'PeerAuthentication'> | null;
}

const byNamespace = new Memo((policies: readonly Config<'PeerAuthentication'>[]) => {
  const index = new Map<string, NamespacePolicies>();
  for (const policy of [...policies].sort(byAge)) {
    const entry = index.get(policy.key.namespace) ?? { selecting: [], wide: null };
    index.set(policy.key.namespace, entry);
    const selector = selectorOf(policy);
    if (selector === null) entry.wide ??= policy;
    else entry.selecting.push({ policy, selector });
  }
  return index;
});

export function portMtls(mtls: WorkloadMtls, port: number): MtlsMode {
  return mtls.byPort.get(port) ?? mtls.mode;
}

function modeOf(mode: Mode | undefined): MtlsMode | null {
  switch (mode) {
    case Mode.STRICT:
      return 'STRICT';
    case Mode.PERMISSIVE:
      return 'PERMISSIVE';
    case Mode.DISABLE:
      return 'DISABLE';
    default:
      return null;
  }
}
