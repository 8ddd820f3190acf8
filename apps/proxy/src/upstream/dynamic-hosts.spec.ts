import { expect, it } from 'vitest';
import { FakeClock } from '@flotilla/runtime';
import { DynamicHosts } from './dynamic-hosts.ts';
import type { Resolution } from '../ports/cluster-manager.ts';
import { openRawTransport } from './transport.ts';

const SETTINGS = {
  dns: { takesAll: false, family: 'v4', refreshMs: 60_000, failureBaseMs: 5_000, failureMaxMs: 50_000 },
  hostTtlMs: 300_000,
  maxHosts: 2,
  defaultPort: 80,
} as const;

function open(addresses: Record<string, string>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const hosts = new DynamicHosts(SETTINGS, {
    transport: openRawTransport(),
    clock,
    random: () => 0.5,
    isOwnListener: ({ host }) => host === '10.0.0.9',
    lookup: async (name) => {
      asked.push(name);
      const address = addresses[name];
      if (address === undefined) throw Object.assign(new Error('nobody'), { code: 'ENOTFOUND' });
      return [{ address, family: 4 }];
    },
  });
  const resolve = async (authority: string): Promise<[Resolution, string | null]> => {
    const { promise, resolve: done } = Promise.withResolvers<void>();
    const answer = hosts.resolve(authority, done);
    if (answer === 'pending') await promise;
    return [answer, hosts.hostFor(authority)?.address ?? null];
  };
  return { hosts, clock, asked, resolve };
}

it('looks a name up once, and knows an address at once', async () => {
  const { resolve, asked, hosts } = open({ 'a.test': '10.0.0.1' });
  expect(await resolve('A.test')).toEqual(['pending', '10.0.0.1:80']);
  expect(await resolve('a.test:80')).toEqual(['known', '10.0.0.1:80']);
  expect(await resolve('[::1]:9')).toEqual(['known', '[::1]:9']);
  expect(asked).toEqual(['a.test']);
  hosts.close();
});

it('says why a name has no host, and keeps to its bound', async () => {
  const { resolve, hosts } = open({ 'self.test': '10.0.0.9' });
  expect(await resolve('nobody.test')).toEqual(['pending', null]);
  expect(hosts.failureOf('nobody.test')).toBe('ENOTFOUND');
  expect(await resolve('self.test')).toEqual(['pending', null]);
  expect(await resolve('third.test')).toEqual(['overflow', null]);
  hosts.close();
});

it('follows a name that moves, and forgets one that nobody asks for', async () => {
  const addresses = { 'a.test': '10.0.0.1' };
  const { resolve, hosts, clock, asked } = open(addresses);
  await resolve('a.test');
  addresses['a.test'] = '10.0.0.2';
  clock.advance(60_000);
  await new Promise((done) => setImmediate(done));
  expect(hosts.hostFor('a.test')?.address).toBe('10.0.0.2:80');
  clock.advance(460_000);
  expect([...hosts.hosts()]).toEqual([]);
  expect(await resolve('a.test')).toEqual(['pending', '10.0.0.2:80']);
  expect(asked.length).toBeGreaterThan(2);
  hosts.close();
});
