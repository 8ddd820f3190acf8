import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { Clock } from '@flotilla/runtime';
import type { SpiffeId } from '@flotilla/spiffe';
import { createBootstrapTokens } from './tokens/bootstrap-token.ts';
import { createRootCertificate } from './sign/root-certificate.ts';

/** What citadel takes as `keys` when a platform keeps them, PEM. */
export interface MeshKeys {
  readonly rootCertificatePem: string;
  readonly rootKeyPem: string;
  readonly tokenKeyPem: string;
}

/** Makes the keys of a new mesh. They exist only in the result. */
export async function createMeshKeys(trustDomain: string, clock: Clock): Promise<MeshKeys> {
  const root = await createRootCertificate(trustDomain, clock.now());
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    rootCertificatePem: root.certificatePem,
    rootKeyPem: root.privateKeyPem,
    tokenKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/**
 * A reusable bootstrap token as citadel with this token key makes them, for platforms that start containers again with
 * the same files; citadel knows of it once it was used. `workload` `''`: any of the service account. Throws `invalid` as
 * `createToken` does.
 */
export function createReusableToken(
  tokenKeyPem: string,
  { id, workload }: { readonly id: SpiffeId; readonly workload: string },
  ttlMs: number,
  clock: Clock,
): string {
  const tokens = createBootstrapTokens(createPrivateKey(tokenKeyPem), id.trustDomain, clock);
  return tokens.create({ id, workload, uses: 0 }, ttlMs).token;
}
