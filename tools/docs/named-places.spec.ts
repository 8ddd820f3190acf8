import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const page = readFileSync(join(repository, 'docs/contributing.md'), 'utf8');

interface Recipe {
  readonly title: string;
  /** What its heading says. */
  readonly places: number;
  readonly steps: readonly string[];
}

const recipesOf = (text: string): readonly Recipe[] =>
  text
    .split('\n## ')
    .slice(1)
    .map((section) => ({
      title: section.slice(0, section.indexOf('\n')),
      places: Number(/: (\d+) places\n/.exec(section)?.[1]),
      steps: [...section.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, path = '']) => path),
    }));

/** Every path of the repository in a text; one with a `<name>` in it as far as it is the same for all. */
const pathsOf = (text: string): readonly string[] =>
  [...text.matchAll(/`((?:apps|libs|tools|proto|docs)\/[^`\s]+)`/g)].map(([, path = '']) =>
    path.includes('<') ? path.slice(0, path.lastIndexOf('/', path.indexOf('<'))) : path,
  );

const missing = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => !existsSync(join(repository, path)));

describe('docs/contributing.md', () => {
  it.each(recipesOf(page))('$title', ({ places, steps }) => {
    expect(steps).toHaveLength(places);
    expect(missing(pathsOf(steps.map((step) => `\`${step}\``).join()))).toEqual([]);
  });

  it('names no place that is not there', () => {
    expect(pathsOf(page).length).toBeGreaterThan(40);
    expect(missing(pathsOf(page))).toEqual([]);
  });

  it('has an HTTP filter in nine places at most', () => {
    expect(recipesOf(page).find(({ title }) => title.startsWith('An HTTP filter'))?.places).toBeLessThanOrEqual(9);
  });

  it('would find a place that is missing, and a number that is wrong', () => {
    const text = '\n## A thing: 2 places\n\n1. `apps/nowhere/<thing>.ts`: x\n';
    expect(missing(pathsOf(text))).toEqual(['apps/nowhere']);
    expect(recipesOf(text)).toEqual([{ title: 'A thing: 2 places', places: 2, steps: ['apps/nowhere/<thing>.ts'] }]);
  });
});
