import { describe, expect, it } from 'vitest';
import type { PathSettings } from './manager-settings.ts';
import { canonicalPath, needsWork } from './path.ts';

const base: PathSettings = { normalize: true, mergeSlashes: false, escapedSlashes: 'keep' };

function put(path: string, settings: PathSettings = base): string {
  if (!needsWork(path, settings)) return path;
  const outcome = canonicalPath(path, settings);
  return outcome.kind === 'path' ? outcome.path : outcome.kind === 'redirect' ? `-> ${outcome.path}` : 'refused';
}

describe('a path', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/../b', '/b'],
    ['/../../a', '/a'],
    ['/a/..', '/'],
    ['/a/b/.', '/a/b/'],
    ['/a/./b', '/a/b'],
    ['/a//b', '/a//b'],
    ['/%2e%2E/a', '/a'],
    ['/%41%7e%2F%20', '/A~%2F%20'],
    ['/a\\..\\b', '/b'],
    ['/a?x=/../b', '/a?x=/../b'],
    ['/a%00', 'refused'],
    ['/a#b', 'refused'],
    ['a', 'refused'],
  ])('%s becomes %s', (path, wanted) => {
    expect(put(path)).toBe(wanted);
  });

  it.each<[string, Partial<PathSettings>, string, string]>([
    ['merges slashes', { mergeSlashes: true }, '//a///b?c=//d', '/a/b?c=//d'],
    ['refuses escaped slashes', { escapedSlashes: 'reject' }, '/a%2Fb', 'refused'],
    ['unescapes slashes before dot segments', { escapedSlashes: 'unescape' }, '/a%2f..%5cb', '/b'],
    ['redirects to unescaped slashes', { escapedSlashes: 'redirect' }, '/a%2Fb', '-> /a/b'],
    ['leaves all as it is', { normalize: false }, '/a/../b//c', '/a/../b//c'],
  ])('%s', (_name, settings, path, wanted) => {
    expect(put(path, { ...base, ...settings })).toBe(wanted);
  });
});
