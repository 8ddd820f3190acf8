import { FakeClock } from '@flotilla/runtime';
import { silentLogger } from '@flotilla/observe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BootstrapClaims } from './bootstrap-token.ts';
import { createTokenLedger } from './token-ledger.ts';
import type { TokenStore } from './token-store.ts';

const clock = new FakeClock();
const limits = { maxCertificateTtlMs: 3_600_000, skewMs: 60_000 };
const claims = (id: string, uses = 1): BootstrapClaims => ({
  id,
  subject: { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'a' },
  spiffeId: 'spiffe://cluster.local/ns/default/sa/a',
  workload: '',
  uses,
  issuedAtMs: clock.now(),
  expiresAtMs: clock.now() + 60_000,
});
const refused = (why: RegExp) => ({
  code: 'unauthenticated',
  message: expect.stringMatching(why) as string,
});

/** What every place for records of tokens promises. `reopen` is a crash, and what comes up after it. */
export function tokenStoreSuite(
  name: string,
  open: () => Promise<{ store: TokenStore; reopen(): Promise<TokenStore> }>,
) {
  describe(`tokens in ${name}`, () => {
    let store: TokenStore;
    let reopen: () => Promise<TokenStore>;
    const ledger = (maxTokens?: number) =>
      createTokenLedger({
        store,
        limits,
        clock,
        logger: silentLogger,
        ...(maxTokens === undefined ? {} : { maxTokens }),
      });

    beforeEach(async () => {
      ({ store, reopen } = await open());
    });
    afterEach(() => store.close());

    it('are used by one key, as often as it asks, also after a crash', async () => {
      await ledger().made(claims('a'));
      await ledger().use(claims('a'), 'key 1');
      store = await reopen();
      await ledger().use(claims('a'), 'key 1');
      await expect(ledger().use(claims('a'), 'key 2')).rejects.toMatchObject(refused(/used already/));
      expect(await ledger().list()).toMatchObject([{ id: 'a', used: 1, lastUsedAtMs: clock.now() }]);
    });

    it('are used by one of many keys that come at once', async () => {
      const one = ledger();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, at) => one.use(claims('a'), `key ${at}`)),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    it('are used by as many keys as they are for, and by any number when they are reusable', async () => {
      for (const key of ['1', '2']) await ledger().use(claims('two', 2), key);
      await expect(ledger().use(claims('two', 2), '3')).rejects.toMatchObject(refused(/used 2 times already/));
      for (const key of ['1', '2', '3']) await ledger().use(claims('any', 0), key);
      expect((await ledger().list()).find(({ id }) => id === 'any')).toMatchObject({ used: 1, keys: [] });
    });

    it('hold no more once they are revoked, also after a crash, and also when nobody knew of them', async () => {
      await ledger().made(claims('a', 0));
      await ledger().revoke('a');
      await ledger().revoke('b');
      store = await reopen();
      for (const id of ['a', 'b']) {
        await expect(ledger().use(claims(id, 0), 'key')).rejects.toMatchObject(refused(/revoked/));
        expect(await ledger().isRevoked(id)).toBe(true);
      }
      expect(await ledger().isRevoked('c')).toBe(false);
    });

    it('are forgotten when they matter no more, and only then', async () => {
      await ledger(2).use(claims('old'), 'key');
      await ledger(2).made(claims('revoked'));
      await ledger(2).revoke('revoked');
      await expect(ledger(2).made(claims('more'))).rejects.toMatchObject({ code: 'exhausted' });
      clock.advance(121_000);
      await ledger(2).made(claims('more'));
      store = await reopen();
      expect((await store.all()).map(({ id }) => id).sort()).toEqual(['more', 'revoked']);
      clock.advance(limits.maxCertificateTtlMs);
      await ledger(2).made(claims('last'));
      expect((await store.all()).map(({ id }) => id)).toEqual(['last']);
    });
  });
}
