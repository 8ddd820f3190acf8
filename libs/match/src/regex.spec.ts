import { describe, expect, it } from 'vitest';
import { FlotillaError } from '@flotilla/runtime';
import { compileRegex, compileRegexSubstitution } from './regex.ts';

describe('compileRegex', () => {
  it.each([
    ['matches the whole text only', '/a/[0-9]+', '/a/1/b', false],
    ['takes the longer alternative when the whole needs it', 'a|ab', 'ab', true],
    ['lets the dot stop at a line break', 'a.c', 'a\nc', false],
    ['ignores case by flag', '(?i)abc', 'ABC', true],
    ['matches the empty text', '.*', '', true],
  ])('%s', (_behaviour, expression, text, expected) => {
    expect(compileRegex(expression)(text)).toBe(expected);
  });

  it.each([
    ['look-ahead', 'a(?=b)', /Perl syntax/],
    ['an open group', '(a', /missing closing \)/],
    ['a back-reference', '(a)\\1', /invalid escape/],
    ['a program that is too large', '(?:(?:(?:a{30}){30}){30}b)', /too large|repeat/],
  ])('refuses %s with the reason', (_case, expression, reason) => {
    expect(() => compileRegex(expression)).toThrow(FlotillaError);
    expect(() => compileRegex(expression)).toThrow(reason);
  });

  it('stays linear on an expression that makes backtracking engines explode', () => {
    expect(compileRegex('(a+)+$')(`${'a'.repeat(20_000)}b`)).toBe(false);
  });
});

describe('compileRegexSubstitution', () => {
  it.each([
    ['moves groups', '^/service/([^/]+)(/.*)$', '\\2/instance/\\1', '/service/foo/v1/api', '/v1/api/instance/foo'],
    ['replaces every match', 'one', 'two', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/two/zzz'],
    ['prints the whole match', 'b+', '<\\0>', 'abbc', 'a<bb>c'],
    ['prints a backslash', 'b', '\\\\', 'abc', 'a\\c'],
    ['leaves what does not match', 'x', 'y', 'abc', 'abc'],
    ['takes an unmatched group as empty', '(a)|(b)', '[\\1\\2]', 'ab', '[a][b]'],
    ['counts no empty match right after another', 'b*', '-', 'abc', '-a-c-'],
    ['ignores dollar signs', 'b', '$1', 'abc', 'a$1c'],
  ])('%s', (_behaviour, regex, substitution, text, expected) => {
    expect(compileRegexSubstitution({ regex, substitution })(text)).toBe(expected);
  });

  it('refuses a group that is not there', () => {
    expect(() => compileRegexSubstitution({ regex: '(a)', substitution: '\\2' })).toThrow(/names no capture group/);
    expect(() => compileRegexSubstitution({ regex: '(a)', substitution: 'x\\' })).toThrow(/names no capture group/);
  });
});
