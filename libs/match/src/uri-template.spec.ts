import { describe, expect, it } from 'vitest';
import { compilePathMatcher, compileRegexSubstitution, parseUriTemplate, uriTemplateSubstitution } from './index.ts';

describe('a path template', () => {
  it.each([
    ['/a/*', '/a/b', true],
    ['/a/*', '/a/b/c', false],
    ['/a/*', '/a/', false],
    ['/a/**', '/a/', true],
    ['/a/**', '/a/b/c', true],
    ['/v/*/*.m4s', '/v/1/x_2.m4s', true],
    ['/**.mpd', '/c/1/manifest.mpd', true],
    ['/a.b', '/aXb', false],
    ['/{x}/{rest=**}', '/a/b/c', true],
    ['/{x=v*}/end', '/v1/end', true],
    ['/{x=v*}/end', '/w1/end', false],
  ])('%s: does it match %s? %s', (template, path, expected) => {
    expect(compilePathMatcher({ kind: 'template', value: template })(path)).toBe(expected);
  });

  it('rewrites with its variables', () => {
    const matched = parseUriTemplate('/{lang}/{rest=**}');
    const rewrite = compileRegexSubstitution({
      regex: `^${matched.regex}$`,
      substitution: uriTemplateSubstitution('/x/{rest}/{lang}', matched),
    });
    expect(rewrite('/en/a/b')).toBe('/x/a/b/en');
  });

  it.each([
    ['a', 'does not begin'],
    ['/**/*', 'last operator'],
    ['/{x}/{x}', 'twice'],
    ['/{1}', 'no name'],
    ['/{x=}', 'empty pattern'],
    ['/a b', 'cannot stand'],
    ['/{a}{b}{c}{d}{e}{f}', 'more than 5'],
    ['/{x', 'cannot stand'],
  ])('refuses %s', (template, reason) => {
    expect(() => parseUriTemplate(template)).toThrow(reason);
  });

  it('refuses a rewrite with an unknown variable', () => {
    expect(() => uriTemplateSubstitution('/{y}', parseUriTemplate('/{x}'))).toThrow('no variable');
  });
});
