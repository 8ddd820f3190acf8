import { isIP } from 'node:net';
import { formatSpiffeId, type SpiffeId } from '@flotilla/spiffe';
import type { ProxyNode } from '@flotilla/translate';
import type { Bindings, WorkloadBinding } from '@flotilla/translate';

/** What the certificate of a connection proves. */
export interface ProvenIdentity {
  readonly spiffeId: SpiffeId;
  /** The one workload that its bootstrap token was made for; `null`: any of its service account. */
  readonly workload: string | null;
}

/** What becomes of what a proxy says of itself. */
export type BindVerdict =
  | {
      readonly verdict: 'bound';
      /** The proxy as configuration has it. */
      readonly node: ProxyNode;
      /** What it said otherwise and is not believed, a clause each. */
      readonly contradictions: readonly string[];
    }
  | { readonly verdict: 'refused'; readonly reason: string; readonly hint: string };

/**
 * Decides what a proxy may be: the name of its workload chooses what configuration says of that workload, which holds
 * for labels, ports, network and locality, whatever the proxy says of them. What cannot be put right is refused: a
 * workload of another identity or of none, another type of proxy, an address or a port that is not the workload's.
 */
export function bindNode(claim: ProxyNode, identity: ProvenIdentity, bindings: Bindings): BindVerdict {
  const id = `${claim.namespace}/${claim.workload}`;
  const holder = formatSpiffeId(identity.spiffeId);
  if (identity.workload !== null && identity.workload !== claim.workload) {
    return refused(`${holder} has a certificate for the workload ${identity.workload}, not for ${claim.workload}`, {
      hint: `Start it with --workload ${identity.workload}, or with a token that was made for ${claim.workload}.`,
    });
  }
  const binding = bindings.get(id);
  if (binding === undefined) {
    return refused(`nothing in the mesh's configuration describes the workload ${id}`, {
      hint: `Apply a WorkloadGroup ${claim.workload} in ${claim.namespace} with its service account and labels; "flotilla token create --workload" writes one.`,
    });
  }
  const fault = misfit(claim, identity, binding);
  if (fault !== null) {
    return refused(`${fault} (${binding.source})`, {
      hint: `Start the proxy as ${binding.source} says, or change that.`,
    });
  }
  const node: ProxyNode = {
    ...claim,
    labels: binding.labels,
    portsByName: Object.keys(binding.ports).length === 0 ? claim.portsByName : binding.ports,
    network: binding.network || claim.network,
    locality: binding.locality || claim.locality,
  };
  return { verdict: 'bound', node, contradictions: contradictions(claim, node, binding) };
}

function refused(reason: string, { hint }: { readonly hint: string }): BindVerdict {
  return { verdict: 'refused', reason, hint };
}

/** Why the proxy cannot be one of this workload; `null` when it can. */
function misfit(claim: ProxyNode, { spiffeId }: ProvenIdentity, binding: WorkloadBinding): string | null {
  if (binding.serviceAccount !== spiffeId.serviceAccount) {
    return `the workload ${claim.workload} is of service account ${binding.serviceAccount}, not of ${spiffeId.serviceAccount}`;
  }
  if (binding.proxyType !== claim.type)
    return `the proxies of ${claim.workload} are ${binding.proxyType}s, not ${claim.type}s`;
  const addresses = [claim.ip, ...claim.ports.map(({ bindAddress }) => bindAddress)].filter((it) => !isAnyAddress(it));
  const elsewhere = addresses.find((address) => binding.addresses.length > 0 && !binding.addresses.includes(address));
  if (elsewhere !== undefined) return `${elsewhere} is not an address of ${claim.workload}`;
  if (Object.keys(binding.ports).length === 0) return null;
  const misplaced = claim.ports.find(({ name, bindPort }) => binding.ports[name] !== bindPort);
  if (misplaced === undefined) return null;
  return `${claim.workload} has no port "${misplaced.name}" at ${misplaced.bindPort}`;
}

function contradictions(claim: ProxyNode, node: ProxyNode, { source }: WorkloadBinding): string[] {
  const labels = Object.entries(claim.labels).flatMap(([name, value]) => {
    const is = node.labels[name];
    return is === value ? [] : [`label ${name}=${value}: ${source} says ${is === undefined ? 'nothing of it' : is}`];
  });
  const places = (['network', 'locality'] as const).flatMap((field) =>
    claim[field] === '' || claim[field] === node[field]
      ? []
      : [`${field} ${claim[field]}: ${source} says ${node[field]}`],
  );
  return [...labels, ...places];
}

/** `0.0.0.0`: then the proxy's own address counts. */
function isAnyAddress(address: string): boolean {
  return address === '' || address === '0.0.0.0' || (isIP(address) === 6 && /^[0:]+$/.test(address));
}
