import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Caller } from '@flotilla/rpc/server';
import type { SpiffeId } from '@flotilla/spiffe';

/**
 * Whose certificate the caller connected with, or null without one. The handshake verified its chain; here it must
 * still be valid, as a connection can outlive it. Throws `unauthenticated`.
 */
export function authenticatePeerCertificate(caller: Caller, trustDomain: string, clock: Clock): SpiffeId | null {
  if (caller.certificate === null) return null;
  const fault = (why: string) => new FlotillaError('unauthenticated', `the client certificate is refused: ${why}`);
  if (caller.spiffeId === null) throw fault('it does not carry exactly one workload identity');
  if (caller.spiffeId.trustDomain !== trustDomain)
    throw fault(`it is of the trust domain ${caller.spiffeId.trustDomain}`);
  if (caller.certificate.validToDate.getTime() <= clock.now())
    throw fault(`it expired on ${caller.certificate.validTo}`);
  return caller.spiffeId;
}
