import { silentLogger } from '@flotilla/observe';
import { FakeClock, FlotillaError } from '@flotilla/runtime';
import { expect, it } from 'vitest';
import type { BootstrapClaims } from './bootstrap-token.ts';
import { createTokenLedger } from './token-ledger.ts';
import type { TokenRecord } from './token-record.ts';
import type { TokenStore } from './token-store.ts';

const HOUR_MS = 3_600_000;

/** A store in memory that may be away, as Redis is. */
class AwayStore implements TokenStore {
  isAway = false;
  readonly #records = new Map<string, TokenRecord>();

  get = (id: string) => this.#answer(() => this.#records.get(id) ?? null);
  replace = (_: TokenRecord | null, after: TokenRecord) =>
    this.#answer(() => this.#records.set(after.id, after) !== null);
  count = () => this.#answer(() => this.#records.size);
  all = () => this.#answer(() => [...this.#records.values()]);
  forget = () => this.#answer(() => undefined);
  close = () => Promise.resolve();

  #answer<T>(read: () => T): Promise<T> {
    return this.isAway ? Promise.reject(new FlotillaError('unavailable', 'Redis is away')) : Promise.resolve(read());
  }
}

it('a token gives nothing while its store is away, and renewal goes on by what was known last', async () => {
  const clock = new FakeClock(0);
  const store = new AwayStore();
  const limits = { maxCertificateTtlMs: 24 * HOUR_MS, skewMs: 60_000 };
  const ledger = createTokenLedger({ store, limits, clock, logger: silentLogger });
  const claims = (id: string): BootstrapClaims => ({
    id,
    subject: { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' },
    spiffeId: 'spiffe://cluster.local/ns/default/sa/reviews',
    workload: '',
    uses: 2,
    issuedAtMs: 0,
    expiresAtMs: HOUR_MS,
  });
  await ledger.use(claims('good'), 'key');
  await ledger.use(claims('stolen'), 'key');
  await ledger.revoke('stolen');

  store.isAway = true;
  await expect(ledger.use(claims('good'), 'another key')).rejects.toMatchObject({ code: 'unavailable' });
  await expect(ledger.use(claims('good'), 'key')).rejects.toMatchObject({ code: 'unavailable' });
  expect([await ledger.isRevoked('good'), await ledger.isRevoked('stolen')]).toEqual([false, true]);

  store.isAway = false;
  await ledger.use(claims('good'), 'another key');
});
