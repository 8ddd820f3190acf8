import type { Logger } from '@flotilla/observe';
import type { BootstrapTokens } from './bootstrap-token.ts';
import type { TokenLedger } from './token-ledger.ts';

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `''`: any of the service account. */
  readonly workload: string;
  /** How many keys may use it; 0 for any number. */
  readonly uses: number;
  readonly ttlMs: number;
}

export interface MintedToken {
  readonly token: string;
  readonly id: string;
  readonly expiresAtMs: number;
}

/** Makes a token that is remembered before anybody has it. Throws `invalid`, `exhausted`, `unavailable` or `system`. */
export type MintToken = (request: TokenRequest) => Promise<MintedToken>;

export function createMinter(parts: {
  readonly tokens: BootstrapTokens;
  readonly ledger: TokenLedger;
  readonly trustDomain: string;
  readonly logger: Logger;
}): MintToken {
  const { tokens, ledger, trustDomain, logger } = parts;
  return async ({ namespace, serviceAccount, workload, uses, ttlMs }) => {
    const { token, claims } = tokens.create({ id: { trustDomain, namespace, serviceAccount }, workload, uses }, ttlMs);
    await ledger.made(claims);
    const { id, spiffeId, expiresAtMs } = claims;
    logger.info('made a bootstrap token', {
      id,
      spiffeId,
      workload,
      uses,
      expiresAt: new Date(expiresAtMs).toISOString(),
    });
    return { token, id, expiresAtMs };
  };
}
