import { describe, expect, it } from 'vitest';
import { orderFindings } from './findings.ts';
import { isLongWithoutReason, longFunctions } from './measure.ts';
import type { House } from './room-order.ts';
import { importsOf, parseSource } from './sources.ts';

const HOUSE: House = {
  root: 'apps/a/src',
  order: [
    { name: 'cellar', places: ['cellar'] },
    { name: 'hall', places: ['hall', 'stairs.ts'] },
    { name: 'attic', places: ['hall/attic'] },
  ],
};
const DOORS = new Map([['@flotilla/a', 'apps/a/src/hall/door.ts']]);

/** What is found in these files, by path under the house. */
function found(files: Readonly<Record<string, string>>): string[] {
  const sources = Object.entries(files).map(([path, text]) => parseSource(`${HOUSE.root}/${path}`, text));
  const paths = sources.map(({ path }) => path);
  return orderFindings(paths, importsOf(sources, DOORS), [HOUSE]);
}

describe('a circle', () => {
  const back = "import type { A } from './a.ts'; export type B = A;";

  it.each([
    ['of types', "import type { B } from './b.ts'; export type A = B;"],
    ['of a type beside a value', "import { b, type B } from './b.ts'; export type A = B; b();"],
    ['by what is exported again', "export { b } from './b.ts'; export type A = 1;"],
    ['by an import while it runs', "export type A = 1; export const b = () => import('./b.ts');"],
    ['by an import within a type', "export type A = import('./b.ts').B;"],
  ])('%s is found', (_, text) => {
    expect(found({ 'cellar/a.ts': text, 'cellar/b.ts': back })).toEqual([
      expect.stringMatching(/^2 files import each other in a circle.*cellar\/a\.ts, .*cellar\/b\.ts/),
    ]);
  });

  it('of three is one finding, and what only leads to it is not part of it', () => {
    const findings = found({
      'hall/a.ts': "import './b.ts';",
      'hall/b.ts': "import './c.ts';",
      'hall/c.ts': "import './a.ts';",
      'hall/d.ts': "import './a.ts'; import '../cellar/e.ts';",
      'cellar/e.ts': '',
    });
    expect(findings).toEqual([expect.stringContaining('3 files')]);
  });
});

describe('an import against the order of rooms', () => {
  it.each([
    ['for a value', "import { door } from '../hall/door.ts'; door();"],
    ['for a type', "import type { Door } from '../hall/door.ts'; export type D = Door;"],
    ['by the door of the workspace', "import { door } from '@flotilla/a'; door();"],
  ])('%s is found', (_, text) => {
    expect(found({ 'cellar/a.ts': text, 'hall/door.ts': '' })).toEqual([
      expect.stringMatching(/cellar\/a\.ts:1: the room cellar imports .*door\.ts of hall, which stands above it/),
    ]);
  });

  it('is found from a folder into a room within it, which stands above', () => {
    expect(found({ 'hall/a.ts': "import './attic/b.ts';", 'hall/attic/b.ts': '' })).toHaveLength(1);
    expect(found({ 'hall/a.ts': '', 'hall/attic/b.ts': "import '../a.ts';" })).toEqual([]);
  });

  it('is not what a test does', () => {
    expect(found({ 'cellar/a.spec.ts': "import '../hall/door.ts';", 'hall/door.ts': '' })).toEqual([]);
  });

  it('cannot be hidden by a file that stands in no room', () => {
    expect(found({ 'shed/a.ts': '', 'stairs.ts': '' })).toEqual([
      expect.stringContaining('shed/a.ts: stands in no room'),
    ]);
  });
});

describe('what is measured', () => {
  it('names a long function by what it is bound to', () => {
    const body = '\n'.repeat(5);
    const source = parseSource('a.ts', `const f = () => {${body}};\nfunction g() {${body}}\nconst h = () => 1;`);
    expect(longFunctions(source, 5).map(({ name, line, lines }) => [name, line, lines])).toEqual([
      ['f', 1, 6],
      ['g', 7, 6],
    ]);
  });

  it('excuses a long file whose head says why it is long', () => {
    const text = (head: string): string => `${head}\n${'x;\n'.repeat(10)}`;
    expect(isLongWithoutReason(parseSource('a.ts', text('/** A state machine. */')), 5)).toBe(true);
    expect(isLongWithoutReason(parseSource('a.ts', text('/** Long: one state machine. */')), 5)).toBe(false);
    expect(isLongWithoutReason(parseSource('a.ts', text('// so long')), 20)).toBe(false);
  });
});
