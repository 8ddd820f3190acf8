import { describe, expect, it } from 'vitest';
import { DEFAULT_REDIS_SETTINGS, redisSettingFaults, redisSettings, type RedisSettings } from './settings.ts';

const node = { host: 'a', port: 1 };

describe('settings', () => {
  it.each<[string, Partial<RedisSettings>]>([
    ['nothing at all', {}],
    ['credentials in the URL', { url: 'redis://u:p@redis:6380/3' }],
    ['an IPv6 host', { url: 'redis://[::1]:6379' }],
    ['TLS files', { url: 'rediss://redis', tls: { ca: 'x', certificate: 'y', key: 'z' } }],
    ['Sentinel', { sentinels: [node], sentinelName: 'mesh' }],
    ['Cluster', { cluster: [node] }],
  ])('accept %s', (_, given) => {
    expect(redisSettingFaults({ ...DEFAULT_REDIS_SETTINGS, ...given })).toEqual([]);
  });

  it.each<[string, Partial<RedisSettings>, RegExp]>([
    ['what is no URL', { url: 'redis server' }, /write redis/],
    ['a URL of something else', { url: 'http://redis' }, /write redis/],
    ['a database that is no number', { url: 'redis://redis/zero' }, /not the number of a database/],
    ['a URL without a host', { url: 'redis:///0' }, /names no host/],
    ['a database in a Cluster', { url: 'redis://x/1', cluster: [node] }, /database 0 only/],
    ['Sentinel and Cluster', { sentinels: [node], sentinelName: 'm', cluster: [node] }, /exclude each other/],
    ['Sentinel without a name', { sentinels: [node] }, /name of the watched master is needed/],
    ['a name without Sentinel', { sentinelName: 'mesh' }, /no Sentinel/],
    [
      'a certificate without a key',
      { url: 'rediss://x', tls: { ca: null, certificate: 'x', key: null } },
      /go together/,
    ],
    ['TLS files for a plaintext URL', { tls: { ca: 'x', certificate: null, key: null } }, /write rediss/],
    ['a prefix that would break the hash tag', { keyPrefix: 'a}b' }, /key prefix/],
  ])('refuse %s', (_, given, fault) => {
    const faults = redisSettingFaults({ ...DEFAULT_REDIS_SETTINGS, ...given });
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it('are refused with every fault at once, and without their secrets', () => {
    expect(() => redisSettings({ url: 'http://u:secret@redis/x', keyPrefix: '' })).toThrow(
      /^(?!.*secret).*write redis.*; .*not the number.*; the key prefix/,
    );
  });
});
