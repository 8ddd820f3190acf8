import { FakeClock, FlotillaError } from '@flotilla/runtime';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { describe, expect, it } from 'vitest';
import { openLocalIdentity } from './local.ts';
import { createStaticIdentity } from './static.ts';

const id = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'istiod' };
const authority = await createTestAuthority();

describe('openLocalIdentity', () => {
  it('asks the authority of this process, and again at half-life of what was granted', async () => {
    const clock = new FakeClock();
    const wishes: number[] = [];
    const issue = (ttlMs: number) => {
      wishes.push(ttlMs);
      return authority.issue(id, { nowMs: clock.now(), ttlMs: 20_000 });
    };
    const identity = await openLocalIdentity(issue, { ttlMs: 60_000, clock, random: () => 0.5 });
    const first = identity.current();
    const renewed = new Promise((resolve) => identity.subscribe(resolve));
    clock.advance(10_000);
    expect(await renewed).not.toBe(first);
    expect(wishes).toEqual([60_000, 60_000]);
    identity.close();
    expect(clock.pendingCount).toBe(0);
  });

  it('throws what the authority throws at the start', async () => {
    const refuse = () => Promise.reject(new FlotillaError('invalid', 'no'));
    await expect(openLocalIdentity(refuse)).rejects.toThrow('no');
  });
});

describe('createStaticIdentity', () => {
  it('is always the same', async () => {
    const certificate = await authority.issue(id);
    const identity = createStaticIdentity(certificate);
    expect(identity.current()).toBe(certificate);
    identity.subscribe(() => undefined)();
    identity.close();
  });
});
