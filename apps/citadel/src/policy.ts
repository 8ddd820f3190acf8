import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId, type SpiffeId } from '@flotilla/spiffe';
import type { SigningRequest } from './sign/signing-request.ts';

/**
 * Who may have which identity: exactly the caller's own. A request may name it as its only SAN, or name nothing, as
 * Istio's agents may; the identity comes from the caller in either case. A request that asks for anything else is not
 * trimmed but refused, as it shows a caller that is mistaken or worse. Throws `forbidden`, saying what was asked and
 * what is allowed.
 */
export function decideIdentity(
  caller: SpiffeId,
  request: Pick<SigningRequest, 'names' | 'commonNames' | 'asksForAuthority'>,
): SpiffeId {
  const allowed = formatSpiffeId(caller);
  const refuse = (asked: string) =>
    new FlotillaError('forbidden', `the request asks for ${asked}; this caller may have only ${allowed}`);
  if (request.asksForAuthority) throw refuse('the certificate of an authority');
  const other = request.names.filter((name) => name.kind !== 'url' || name.value !== allowed);
  if (other.length > 0) throw refuse(other.map((name) => `${name.kind} "${clipped(name.value)}"`).join(', '));
  if (request.names.length > 1) throw refuse(`the same name ${request.names.length} times`);
  const commonName = request.commonNames.find((name) => name !== allowed);
  if (commonName !== undefined) throw refuse(`the common name "${clipped(commonName)}"`);
  return caller;
}

const CONTROL_PLANE_NAMESPACE = 'istio-system';
const CONTROL_PLANE_ACCOUNTS: ReadonlySet<string> = new Set(['istiod', 'citadel', 'galley', 'pilot']);

/**
 * DNS names in a certificate beside the identity: those of the Service of the same name for the control plane's own
 * servers, and this machine, for tools that verify a server by name. None for anybody else.
 */
export function dnsNamesOf({ namespace, serviceAccount }: SpiffeId): readonly string[] {
  if (namespace !== CONTROL_PLANE_NAMESPACE || !CONTROL_PLANE_ACCOUNTS.has(serviceAccount)) return [];
  const service = `${serviceAccount}.${namespace}`;
  return [serviceAccount, service, `${service}.svc`, `${service}.svc.cluster.local`, 'localhost'];
}

function clipped(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
