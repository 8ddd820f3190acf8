import { describe, expect, it } from 'vitest';
import { formatFinding } from '../finding.ts';
import { readDocuments } from './read-documents.ts';

const read = (text: string, limits?: Parameters<typeof readDocuments>[2]): ReturnType<typeof readDocuments> =>
  readDocuments(text, 'f.yaml', limits);
const faultsOf = (text: string): readonly string[] => read(text).findings.map(formatFinding);

describe('readDocuments', () => {
  it('reads the documents of a text and passes over empty ones', () => {
    const { documents, findings } = read('# nothing\n---\na: 1\n---\n---\n- x\n...\n');
    expect(findings).toEqual([]);
    expect(documents.map(({ value }) => value)).toEqual([{ a: 1 }, ['x']]);
    expect(documents.map(({ origin }) => origin.line)).toEqual([3, 6]);
  });

  it('reads JSON', () => {
    expect(read('{"a": [1, "b", null, true]}').documents[0]?.value).toEqual({ a: [1, 'b', null, true] });
  });

  it('keeps keys and texts as they are written', () => {
    const [document] = read('8080: x\n1.0: y\ntrue: z\nday: 2024-01-01\nanswer: no\nquoted: "1"').documents;
    expect(document?.value).toEqual({
      '8080': 'x',
      '1.0': 'y',
      true: 'z',
      day: '2024-01-01',
      answer: 'no',
      quoted: '1',
    });
  });

  it('expands aliases and merge keys, where own keys win', () => {
    const text = 'base: &b {x: 1, y: 2}\nmerged: {<<: *b, y: 3}\nalias: *b\nboth:\n  <<: [*b, {z: 4, x: 9}]\n';
    expect(read(text).documents[0]?.value).toEqual({
      base: { x: 1, y: 2 },
      merged: { x: 1, y: 3 },
      alias: { x: 1, y: 2 },
      both: { x: 1, y: 2, z: 4 },
    });
  });

  it.each([
    ['a repeated key', 'a: 1\nb: 2\na: 3\n', 'f.yaml:3:1: error FLT0001: the key "a" is written twice in one map'],
    [
      'a repeated key in JSON',
      '{"a": 1, "a": 2}',
      'f.yaml:1:10: error FLT0001: the key "a" is written twice in one map',
    ],
    ['an alias without an anchor', 'a: *b\n', 'f.yaml:1:4: error FLT0001: there is no anchor &b before this alias'],
    [
      'an alias within its anchor',
      'a: &a [*a]\n',
      'f.yaml:1:8: error FLT0001: the alias *a stands within its own anchor',
    ],
    ['a number that is none', 'a: .nan\n', 'f.yaml:1:4: error FLT0001: .nan is not a finite number'],
    ['an unknown tag', 'a: !thing x\n', 'f.yaml:1:4: error FLT0001: this is not YAML: unresolved tag: !thing'],
    ['binary data', 'a: !!binary aGk=\n', 'f.yaml:1:13: error FLT0001: unknown tag tag:yaml.org,2002:binary'],
    ['a key that is a list', '? [a]\n: b\n', 'f.yaml:1:3: error FLT0001: a key must be a text'],
    ['the key __proto__', '__proto__: {a: 1}\n', 'f.yaml:1:1: error FLT0001: the key __proto__ is not allowed'],
    ['half a surrogate', 'a: "\\ud800"\n', 'f.yaml:1:4: error FLT0001: the text has half of a surrogate pair in it'],
  ])('refuses %s', (_, text, expected) => {
    expect(faultsOf(text)).toContain(expected);
  });

  it('points at the line that breaks the indentation', () => {
    expect(faultsOf('a:\n  b: 1\n c: 2\n')[0]).toMatch(/^f\.yaml:3:1: error FLT0001: this is not YAML: /);
  });

  it('returns the documents beside a broken one', () => {
    const { documents, findings } = read('a: 1\n---\nb: [1\n---\nc: 3\n');
    expect(findings.length).toBeGreaterThan(0);
    expect(documents.map(({ value }) => value)).toContainEqual({ a: 1 });
  });

  it('stops at an alias bomb', () => {
    const levels = Array.from(
      { length: 20 },
      (_, n) =>
        `l${n}: &l${n} [${Array(9)
          .fill(n === 0 ? 'x' : `*l${n - 1}`)
          .join(', ')}]`,
    );
    expect(faultsOf(levels.join('\n'))[0]).toMatch(/more than 200000 values, aliases included$/);
  });

  it('bounds size and depth', () => {
    const limits = { maxBytes: 10, maxDepth: 3, maxNodes: 100, maxDocuments: 10 };
    expect(read('a: 0123456789', limits).findings[0]?.message).toBe('the text has 13 bytes, more than the 10 allowed');
    expect(read('[[[[1]]]]', limits).findings[0]?.message).toBe('lists and maps are nested too deeply (limit 3)');
  });

  it.each([
    ['lists in flow', '['.repeat(20_000), 'f.yaml:2:257:'],
    ['maps in flow', '{a: '.repeat(20_000), 'f.yaml:2:'],
    ['lists in blocks', '- '.repeat(20_000), 'f.yaml:2:'],
    ['explicit keys', '? '.repeat(20_000), 'f.yaml:2:'],
  ])('says that 20,000 %s are too many, and where', (_, text, place) => {
    const [first, ...others] = faultsOf(`# begins below\n${text}`);
    expect(first).toMatch(/: error FLT0001: lists and maps are nested too deeply \(limit 64\)$/);
    expect(first).toContain(place);
    expect(others).toEqual([]);
    // The documents before it are read.
    expect(read(`a: 1\n---\n${text}`).documents.map(({ value }) => value)).toEqual([{ a: 1 }]);
  });

  it('takes linear time for a map of very many keys: comparing each with each would take minutes', () => {
    const text = Array.from({ length: 100_000 }, (_, n) => `k${n}: 1`).join('\n');
    expect(read(text).findings).toEqual([]);
  });
});

describe('locate', () => {
  const text = [
    'spec:',
    '  http:',
    '  - route:',
    '    - weight: 90',
    '      headers: {a: b}',
    '  empty:',
    'x: &x {deep: 1}',
    'y: *x',
  ];
  const [document] = read(text.join('\n')).documents;
  it.each([
    ['a scalar at its value', ['spec', 'http', 0, 'route', 0, 'weight'], 'value', 4, 15],
    ['a key', ['spec', 'http', 0, 'route', 0, 'weight'], 'key', 4, 7],
    ['a list at its key', ['spec', 'http'], 'value', 2, 3],
    ['an entry of a list', ['spec', 'http', 0], 'value', 3, 5],
    ['a map at its key', ['spec', 'http', 0, 'route', 0, 'headers'], 'value', 5, 7],
    ['a field without a value', ['spec', 'empty'], 'value', 6, 3],
    ['a missing field at its parent', ['spec', 'hosts', 3], 'value', 1, 1],
    ['what an alias stands for', ['y', 'deep'], 'value', 7, 14],
    ['the document', [], 'value', 1, 1],
  ] as const)('finds %s', (_, path, subject, line, column) => {
    expect(document?.locate(path, subject)).toEqual({ source: 'f.yaml', line, column });
  });
});
