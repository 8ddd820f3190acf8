import { describe, expect, it } from 'vitest';
import { compilePathTemplate } from './path-template.ts';

const match = (template: string, path: string) => compilePathTemplate(template).match(path);

describe('a path template', () => {
  it.each([
    ['/v1/shelves', '/v1/shelves', []],
    ['/v1/shelves', '/v1/shelves/1', null],
    ['/v1/shelves/{shelf}', '/v1/shelves/a%20b', [['shelf', 'a b']]],
    ['/v1/shelves/{shelf}', '/v1/shelves/', null],
    [
      '/v1/{name=shelves/*}/books/{book.id}',
      '/v1/shelves/3/books/4',
      [
        ['name', 'shelves/3'],
        ['book.id', '4'],
      ],
    ],
    ['/v1/{name=files/**}', '/v1/files/a/b/c', [['name', 'files/a/b/c']]],
    ['/v1/{name=files/**}', '/v1/other/a', null],
    ['/v1/*/x', '/v1/any/x', []],
    ['/v1/shelves/{shelf}:clear', '/v1/shelves/3:clear', [['shelf', '3']]],
    ['/v1/shelves/{shelf}:clear', '/v1/shelves/3', null],
    ['/v1/shelves/{shelf}', '/v1/shelves/%zz', [['shelf', '%zz']]],
  ])('%s on %s', (template, path, expected) => {
    expect(match(template, path)).toEqual(expected);
  });

  it.each(['v1/x', '/v1/{a=**}/b', '/'])('%s is refused', (template) => {
    expect(() => compilePathTemplate(template)).toThrow(template);
  });

  it('is the lower in rank, the more literal it is', () => {
    const ranks = ['/v1/a', '/v1/{b}', '/v1/{c=**}'].map((template) => compilePathTemplate(template).rank);
    expect(ranks.toSorted()).toEqual(ranks);
  });
});
