import { describe, expect, it } from 'vitest';
import { compileCidrListMatcher, compileCidrMatcher, parseCidr } from './cidr-matcher.ts';
import { compileDomainTable, hostWithoutPort } from './domain-table.ts';
import { compileHeaderMatcher, type HeaderMatch, type HeaderValues } from './header-matcher.ts';
import { compilePathMatcher, pathOnly, type PathMatch } from './path-matcher.ts';
import { compileQueryParameterMatcher, type QueryParameterMatch } from './query-matcher.ts';
import { compileStringMatcher, type StringMatch } from './string-matcher.ts';

describe('string matcher', () => {
  it.each<[string, StringMatch, string, boolean]>([
    ['exact equals', { kind: 'exact', value: 'a' }, 'a', true],
    ['exact minds case', { kind: 'exact', value: 'a' }, 'A', false],
    ['exact without case', { kind: 'exact', value: 'aB', ignoreCase: true }, 'Ab', true],
    ['prefix', { kind: 'prefix', value: 'ab' }, 'abc', true],
    ['suffix without case', { kind: 'suffix', value: 'BC', ignoreCase: true }, 'abc', true],
    ['contains', { kind: 'contains', value: 'b' }, 'abc', true],
    ['contains not', { kind: 'contains', value: 'x' }, 'abc', false],
    ['regex is a full match', { kind: 'regex', value: 'b' }, 'abc', false],
    ['case is folded for ASCII only', { kind: 'exact', value: '\u00e9', ignoreCase: true }, '\u00c9', false],
  ])('%s', (_behaviour, spec, text, expected) => {
    expect(compileStringMatcher(spec)(text)).toBe(expected);
  });
});

describe('header matcher', () => {
  const exact = (value: string): HeaderMatch['value'] => ({ kind: 'string', match: { kind: 'exact', value } });
  it.each<[string, Omit<HeaderMatch, 'name'>, HeaderValues, boolean]>([
    ['one of several values is enough', { value: exact('a') }, ['b', 'a'], true],
    ['several values are not joined', { value: exact('a,b') }, ['a', 'b'], false],
    ['an inverted rule wants that no value matches', { value: exact('a'), invert: true }, ['a', 'b'], false],
    ['a value rule matches the value', { value: exact('a') }, 'a', true],
    ['a missing header never matches a value rule', { value: exact('a') }, undefined, false],
    ['an inverted rule needs the header too', { value: exact('a'), invert: true }, undefined, false],
    ['an inverted rule matches another value', { value: exact('a'), invert: true }, 'b', true],
    ['missing counts as empty when told', { value: exact(''), treatMissingAsEmpty: true }, undefined, true],
    ['missing as empty inverts', { value: exact('a'), invert: true, treatMissingAsEmpty: true }, undefined, true],
    ['present', { value: { kind: 'present', present: true } }, '', true],
    ['present, missing', { value: { kind: 'present', present: true } }, undefined, false],
    ['not present', { value: { kind: 'present', present: false } }, undefined, true],
    ['present inverted', { value: { kind: 'present', present: true }, invert: true }, undefined, true],
    ['not present inverted', { value: { kind: 'present', present: false }, invert: true }, 'x', true],
    ['range begins with its start', { value: { kind: 'range', start: -10, end: 0 } }, '-10', true],
    ['range ends before its end', { value: { kind: 'range', start: -10, end: 0 } }, '0', false],
    ['range wants an integer', { value: { kind: 'range', start: -10, end: 10 } }, '1.5', false],
  ])('%s', (_behaviour, spec, value, expected) => {
    expect(compileHeaderMatcher({ name: 'x', ...spec })(value)).toBe(expected);
  });
});

describe('query parameter matcher', () => {
  it.each<[string, Omit<QueryParameterMatch, 'name'>, string, boolean]>([
    ['presence', { value: null }, '/p?q', true],
    ['absence', { value: null }, '/p?qq=1', false],
    ['explicit absence', { value: { kind: 'present', present: false } }, '/p', true],
    ['value', { value: { kind: 'exact', value: '1' } }, '/p?a=2&q=1', true],
    ['first value counts', { value: { kind: 'exact', value: '1' } }, '/p?q=2&q=1', false],
    ['no decoding', { value: { kind: 'exact', value: 'a b' } }, '/p?q=a%20b', false],
    ['empty value', { value: { kind: 'exact', value: '' } }, '/p?q', true],
    ['value with an equals sign', { value: { kind: 'exact', value: 'a=b' } }, '/p?q=a=b', true],
    ['no query at all', { value: { kind: 'regex', value: '.*' } }, '/p', false],
  ])('%s', (_behaviour, spec, path, expected) => {
    expect(compileQueryParameterMatcher({ name: 'q', ...spec })(path)).toBe(expected);
  });
});

describe('path matcher', () => {
  it.each<[string, PathMatch, string, boolean]>([
    ['prefix', { kind: 'prefix', value: '/a' }, '/ab', true],
    ['prefix of everything', { kind: 'prefix', value: '/' }, '/ab', true],
    ['exact', { kind: 'exact', value: '/a' }, '/a/', false],
    ['exact without case', { kind: 'exact', value: '/A', ignoreCase: true }, '/a', true],
    ['separated prefix itself', { kind: 'separated-prefix', value: '/a' }, '/a', true],
    ['separated prefix below', { kind: 'separated-prefix', value: '/a' }, '/a/b', true],
    ['separated prefix of another word', { kind: 'separated-prefix', value: '/a' }, '/ab', false],
    ['separated prefix without case', { kind: 'separated-prefix', value: '/A', ignoreCase: true }, '/a/b', true],
    ['regex', { kind: 'regex', value: '/a/[^/]+' }, '/a/b', true],
  ])('%s', (_behaviour, spec, path, expected) => {
    expect(compilePathMatcher(spec)(path)).toBe(expected);
  });

  it('cuts query and fragment off, whichever comes first', () => {
    expect(['/a?b#c', '/a#c?b', '/a'].map(pathOnly)).toEqual(['/a', '/a', '/a']);
  });
});

describe('domain table', () => {
  const find = compileDomainTable(
    ['*', 'a.com', '*.a.com', '*.b.a.com', 'a.*', 'a.b.*', 'h:80', '*-x.org'].map(
      (domain) => [domain, domain] as const,
    ),
  );
  it.each([
    ['exact wins', 'a.com', 'a.com'],
    ['case does not matter', 'A.Com', 'a.com'],
    ['longest suffix wins', 'x.b.a.com', '*.b.a.com'],
    ['suffix wins over prefix', 'a.b.a.com', '*.b.a.com'],
    ['a wildcard stands for at least one character', '.a.com', '*'],
    ['longest prefix wins', 'a.b.c', 'a.b.*'],
    ['suffix without a dot', 'foo-x.org', '*-x.org'],
    ['ports are compared', 'h:80', 'h:80'],
    ['a port is part of the host', 'h:81', '*'],
    ['the rest', 'zzz', '*'],
  ])('%s', (_behaviour, host, expected) => {
    expect(find(host)).toBe(expected);
  });

  it('finds nothing without a catch-all, and refuses a domain given twice', () => {
    expect(compileDomainTable([['a', 1]])('b')).toBeNull();
    expect(() =>
      compileDomainTable([
        ['A', 1],
        ['a', 2],
      ]),
    ).toThrow(/given twice/);
  });

  it('strips ports only where there is one', () => {
    expect(['a:80', 'a', '[::1]:80', '[::1]', '::1', 'a:b'].map(hostWithoutPort)).toEqual([
      'a',
      'a',
      '[::1]',
      '[::1]',
      '::1',
      'a:b',
    ]);
  });
});

describe('CIDR matcher', () => {
  it.each([
    ['inside', '10.0.0.0/8', '10.255.0.1', true],
    ['outside', '10.0.0.0/8', '11.0.0.1', false],
    ['odd length', '192.168.4.0/22', '192.168.7.255', true],
    ['odd length outside', '192.168.4.0/22', '192.168.8.0', false],
    ['single address', '127.0.0.1', '127.0.0.1', true],
    ['everything', '0.0.0.0/0', '8.8.8.8', true],
    ['IPv6', '2001:db8::/33', '2001:db8:7fff::1', true],
    ['IPv6 outside', '2001:db8::/33', '2001:db8:8000::1', false],
    ['mapped IPv4 counts as IPv4', '10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['families do not mix', '::/0', '10.0.0.1', false],
    ['not an address', '0.0.0.0/0', 'example.com', false],
  ])('%s', (_behaviour, range, address, expected) => {
    expect(compileCidrMatcher(parseCidr(range))(address)).toBe(expected);
  });

  it('takes several ranges, and refuses malformed ones', () => {
    expect(compileCidrListMatcher(['10.0.0.0/8', '::1'].map(parseCidr))('::1')).toBe(true);
    for (const text of ['10.0.0.0/33', '10.0.0/8', 'x', '::/129', '1.1.1.1/']) expect(() => parseCidr(text)).toThrow();
  });
});
