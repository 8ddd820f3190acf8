import { createTrustBundle, type TrustBundle } from '@flotilla/spiffe';
import type { CertificateAuthority } from './sign/authority.ts';

/**
 * Which authority signs, and which is prepared to follow it. A rotation goes: `next` is filled, so that its root is
 * distributed with the bundle; when every workload trusts it, it becomes `current`; the old one leaves the bundle when
 * the last certificate it signed has expired. Until there is a rotation, `next` is null.
 */
export interface CaSlots {
  readonly current: CertificateAuthority;
  readonly next: CertificateAuthority | null;
}

/** The roots that workloads are told to trust: those of both slots. */
export function trustBundleOf(slots: CaSlots, trustDomain: string): TrustBundle {
  const authorities = slots.next === null ? [slots.current] : [slots.current, slots.next];
  return createTrustBundle(trustDomain, ...authorities.map((authority) => authority.certificatePem));
}
