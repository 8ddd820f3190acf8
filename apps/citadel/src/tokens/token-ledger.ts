import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { type BootstrapClaims, refusal } from './bootstrap-token.ts';
import { decideUse, freshRecord, revokedRecord, type TokenLimits, type TokenRecord } from './token-record.ts';
import type { TokenStore } from './token-store.ts';

/** What has become of every bootstrap token. */
export interface TokenLedger {
  /** Remembers a new one. Throws `exhausted` when too many are known. */
  made(claims: BootstrapClaims): Promise<void>;
  /**
   * Notes that a key gets a certificate by a token, so that it is not forgotten by any crash. Throws `unauthenticated`
   * when the token is used up or revoked, `unavailable` or `system` when that cannot be told or noted.
   */
  use(claims: BootstrapClaims, key: string): Promise<void>;
  /** Whether certificates that go back to this token may be renewed. While the store is away, what was known last counts. */
  isRevoked(id: string): Promise<boolean>;
  revoke(id: string): Promise<TokenRecord>;
  /** Those made last come first. */
  list(): Promise<readonly TokenRecord[]>;
}

export interface TokenLedgerOptions {
  readonly store: TokenStore;
  readonly limits: TokenLimits;
  /** How many tokens are known at most. Default: 10,000. */
  readonly maxTokens?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const MAX_TOKENS = 10_000;
const MAX_TRIES = 10;

export function createTokenLedger(options: TokenLedgerOptions): TokenLedger {
  const { store, limits, clock, logger, maxTokens = MAX_TOKENS } = options;
  /** Revoked tokens as far as this process has heard. */
  const revoked = new Set<string>();

  /** Makes room for one more, by forgetting what no longer matters. */
  const makeRoom = async (): Promise<void> => {
    if ((await store.count()) < maxTokens) return;
    const all = await store.all();
    const nowMs = clock.now();
    const past = all.filter(({ keepUntilMs }) => keepUntilMs <= nowMs).map(({ id }) => id);
    for (const id of past) revoked.delete(id);
    await store.forget(past);
    if (all.length - past.length < maxTokens) return;
    throw new FlotillaError(
      'exhausted',
      `${maxTokens} bootstrap tokens are remembered, and there is no room for more`,
      {
        hint: 'Wait until some have expired, or make tokens with a shorter lifetime.',
      },
    );
  };
  const change = async (
    id: string,
    next: (known: TokenRecord | null) => TokenRecord | null,
  ): Promise<TokenRecord | null> => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const before = await store.get(id);
      const after = next(before);
      if (after === null || after === before) return before;
      if (before === null) await makeRoom();
      if (await store.replace(before, after)) return after;
    }
    throw new FlotillaError('unavailable', `the bootstrap token ${id} is used by too many at once`);
  };

  return {
    async made(claims) {
      await change(claims.id, () => freshRecord(claims, limits));
    },
    async use(claims, key) {
      await change(claims.id, (known) => {
        const verdict = decideUse(known, claims, key, clock.now(), limits);
        if (verdict.verdict === 'granted') return verdict.record;
        throw refusal(
          verdict.verdict === 'revoked'
            ? 'it was revoked'
            : `it has been used ${claims.uses === 1 ? 'already' : `${claims.uses} times already`}`,
        );
      });
    },
    async isRevoked(id) {
      try {
        const known = await store.get(id);
        if (known !== null && known.revokedAtMs !== null) revoked.add(id);
      } catch (error) {
        logger.warn('it cannot be told whether a bootstrap token was revoked; what was known last counts', {
          id,
          error: FlotillaError.from(error),
        });
      }
      return revoked.has(id);
    },
    async revoke(id) {
      const record = await change(id, (known) => revokedRecord(known, id, clock.now(), limits));
      if (record === null) throw new FlotillaError('internal', `the token ${id} was not revoked`);
      revoked.add(id);
      logger.warn('a bootstrap token was revoked', { id, spiffeId: record.spiffeId });
      return record;
    },
    async list() {
      const nowMs = clock.now();
      const all = await store.all();
      return all
        .filter(({ keepUntilMs }) => keepUntilMs > nowMs)
        .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1));
    },
  };
}
