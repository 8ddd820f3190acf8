import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const docs = join(repository, 'docs');
const PAGES = readdirSync(docs).filter((name) => name.endsWith('.md'));

/** Names of tests in a page, each a path from the repository. */
const testsOf = (page: string): readonly string[] =>
  [...page.matchAll(/`([^`\s<]*\.spec\.ts)`/g)].map(([, path]) => path ?? '');

describe('what docs/ says that a test shows', () => {
  it.each(PAGES)('%s names tests that exist, by their whole path', (name) => {
    const paths = testsOf(readFileSync(join(docs, name), 'utf8'));
    expect(paths.filter((path) => !path.includes('/') || !existsSync(join(repository, path)))).toEqual([]);
  });

  it('every line of attackers in security.md has one', () => {
    const page = readFileSync(join(docs, 'security.md'), 'utf8');
    const [, section = ''] = page
      .split('\n## ')
      .filter((text) => text.startsWith('Attackers'))
      .flatMap((text) => text.split(/^\| -.*$/m));
    const rows = section.split('\n').filter((line) => line.startsWith('|'));
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => testsOf(row).length === 0)).toEqual([]);
  });

  it('finds one that is missing', () => {
    expect(testsOf('| x | `apps/nowhere.spec.ts`, `rest.spec.ts` |')).toEqual(['apps/nowhere.spec.ts', 'rest.spec.ts']);
  });
});
