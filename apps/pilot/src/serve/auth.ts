import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId, type SpiffeId } from '@flotilla/spiffe';
import type { ProxyNode } from '@flotilla/translate';

/**
 * Whether a connection may speak for the workload that its node metadata names: the certificate must be exactly that
 * workload's. Throws `forbidden`, or `unauthenticated` without an identity.
 */
export function authoriseNode(node: ProxyNode, peer: SpiffeId | null, trustDomains: readonly string[]): void {
  if (peer === null) {
    throw new FlotillaError('unauthenticated', `${node.id} has no workload identity`, {
      hint: 'Connect with a certificate whose only URI SAN is the SPIFFE id of the workload.',
    });
  }
  if (!trustDomains.includes(peer.trustDomain)) {
    throw new FlotillaError(
      'forbidden',
      `${formatSpiffeId(peer)} is not of the trust domain ${trustDomains.join(', ')}`,
    );
  }
  if (peer.namespace !== node.namespace || peer.serviceAccount !== node.serviceAccount) {
    throw new FlotillaError(
      'forbidden',
      `${formatSpiffeId(peer)} may not speak for service account ${node.serviceAccount} in namespace ${node.namespace}`,
      { hint: 'NAMESPACE and SERVICE_ACCOUNT in the node metadata must be those of the certificate.' },
    );
  }
}
