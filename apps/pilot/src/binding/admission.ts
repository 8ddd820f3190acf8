import { isDeepStrictEqual } from 'node:util';
import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId } from '@flotilla/spiffe';
import type { ProxyNode } from '@flotilla/translate';
import type { Alarms } from './alarms.ts';
import { type BindVerdict, bindNode, type ProvenIdentity } from './bind.ts';
import type { Bindings } from '@flotilla/translate';

export interface AdmissionOptions {
  /** The mesh's and its aliases, now. */
  readonly trustDomains: () => readonly string[];
  /** What the mesh says of its workloads now. */
  readonly bindings: () => Bindings;
  /** Resolves when that is known at all. */
  readonly ready: Promise<void>;
  readonly isReady: () => boolean;
  readonly alarms: Alarms;
}

/** Decides about the proxies that connect with an identity, and raises an alarm about what they may not say. */
export interface Admission extends Pick<AdmissionOptions, 'ready' | 'isReady'> {
  /** The proxy as configuration has it. Throws `forbidden` for one that may not be what it says it is. */
  admit(claim: ProxyNode, identity: ProvenIdentity): ProxyNode;
  /** Throws `forbidden` when the proxy may not be that any more, `unavailable` when it would be another one now. */
  readmit(claim: ProxyNode, identity: ProvenIdentity, admitted: ProxyNode): void;
}

export function createAdmission({ trustDomains, bindings, ready, isReady, alarms }: AdmissionOptions): Admission {
  const judge = (claim: ProxyNode, identity: ProvenIdentity): BindVerdict & { readonly verdict: 'bound' } => {
    const subject = { nodeId: claim.id, identity: formatSpiffeId(identity.spiffeId) };
    const verdict = foreign(claim, identity, trustDomains()) ?? bindNode(claim, identity, bindings());
    if (verdict.verdict === 'bound') return verdict;
    alarms.raise({ kind: 'refused', ...subject, reason: verdict.reason });
    throw new FlotillaError('forbidden', verdict.reason, { hint: verdict.hint });
  };
  return {
    ready,
    isReady,
    admit(claim, identity) {
      const { node, contradictions } = judge(claim, identity);
      const subject = { nodeId: claim.id, identity: formatSpiffeId(identity.spiffeId) };
      for (const reason of contradictions) alarms.raise({ kind: 'overridden', ...subject, reason });
      return node;
    },
    readmit(claim, identity, admitted) {
      if (isDeepStrictEqual(judge(claim, identity).node, admitted)) return;
      throw new FlotillaError('unavailable', `what the mesh says of ${claim.workload} has changed: connect again`);
    },
  };
}

/** A certificate must be exactly that of the service account that the proxy says it is of. */
function foreign(
  { namespace, serviceAccount }: ProxyNode,
  { spiffeId }: ProvenIdentity,
  trustDomains: readonly string[],
): BindVerdict | null {
  const id = formatSpiffeId(spiffeId);
  if (!trustDomains.includes(spiffeId.trustDomain)) {
    return {
      verdict: 'refused',
      reason: `${id} is not of the trust domain ${trustDomains.join(', ')}`,
      hint: 'List it under trustDomainAliases of MeshConfig if it is one of this mesh.',
    };
  }
  if (spiffeId.namespace === namespace && spiffeId.serviceAccount === serviceAccount) return null;
  return {
    verdict: 'refused',
    reason: `${id} may not speak for service account ${serviceAccount} in namespace ${namespace}`,
    hint: 'NAMESPACE and SERVICE_ACCOUNT in the node metadata must be those of the certificate.',
  };
}
