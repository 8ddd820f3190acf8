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

function clipped(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
