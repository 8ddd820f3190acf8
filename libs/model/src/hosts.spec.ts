import { describe, expect, it } from 'vitest';
import { compareSpecificity, hostCovers, hostsOverlap, mostSpecificMatch, resolveHost } from './hosts.ts';

describe('resolveHost', () => {
  it.each([
    ['a short name gains namespace and suffix', 'reviews', 'reviews.default.svc.cluster.local'],
    ['a full name stands', 'reviews.other.svc.cluster.local', 'reviews.other.svc.cluster.local'],
    ['a name with a dot is taken as full', 'reviews.other', 'reviews.other'],
    ['an IPv6 address stands', '2001:db8::1', '2001:db8::1'],
    ['the wildcard stands', '*', '*'],
    ['a wildcard domain stands', '*.example.com', '*.example.com'],
    ['nothing stays nothing', '', ''],
  ])('%s', (_, host, full) => {
    expect(resolveHost(host, 'default')).toBe(full);
  });

  it('takes the domain suffix of the mesh', () => {
    expect(resolveHost('reviews', 'a', 'mesh.internal')).toBe('reviews.a.svc.mesh.internal');
  });
});

describe('hostCovers', () => {
  it.each([
    ['an exact name', 'a.example.com', 'a.example.com', true],
    ['a name under the wildcard', '*.example.com', 'a.example.com', true],
    ['a name two levels under the wildcard', '*.example.com', 'b.a.example.com', true],
    ['not the bare suffix', '*.example.com', 'example.com', false],
    ['not another suffix', '*.example.com', 'a.example.org', false],
    ['a narrower wildcard', '*.com', '*.example.com', true],
    ['not a wider wildcard', '*.example.com', '*.com', false],
    ['everything under *', '*', 'a', true],
    ['every wildcard under *', '*', '*.com', true],
    ['no wildcard under an exact name', 'a.com', '*', false],
  ])('%s', (_, pattern, host, expected) => {
    expect(hostCovers(pattern, host)).toBe(expected);
    if (expected) expect(hostsOverlap(host, pattern)).toBe(true);
  });
});

describe('specificity', () => {
  it('puts exact names first, then the longer wildcard', () => {
    const hosts = ['*', '*.com', 'a.com', '*.example.com', 'a.example.com'];
    expect(hosts.sort(compareSpecificity)).toEqual(['a.example.com', 'a.com', '*.example.com', '*.com', '*']);
  });

  it('chooses the most specific pattern that covers', () => {
    expect(mostSpecificMatch('a.example.com', ['*', '*.example.com', 'b.example.com'])).toBe('*.example.com');
    expect(mostSpecificMatch('a.example.com', ['b.example.com'])).toBeNull();
  });
});
