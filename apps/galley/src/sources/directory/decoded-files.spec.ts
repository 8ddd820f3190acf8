import { silentLogger } from '@flotilla/observe';
import { FakeClock, FlotillaError, systemClock } from '@flotilla/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { openChecker } from '../../check/checker.ts';
import type { Checker } from '../../check/checking.ts';
import { DecodedFiles } from './decoded-files.ts';

const checker = openChecker({ clock: systemClock, logger: silentLogger });
afterAll(() => checker.close());

const account = (name: string): string => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}\n`;
const files = (texts: Readonly<Record<string, string>>) =>
  new Map(Object.entries(texts).map(([path, text]) => [path, { text }]));
const signal = new AbortController().signal;

/** Fails for files that say so, and counts what it is asked. */
function fragile() {
  const asked: string[] = [];
  const decodeFile: Checker['decodeFile'] = async (file, namespace, given) => {
    asked.push(file.source);
    const code = /^# (exhausted|internal)/.exec(file.yaml)?.[1];
    if (code !== undefined) throw new FlotillaError(code === 'internal' ? code : 'exhausted', 'checking failed');
    return checker.decodeFile(file, namespace, given);
  };
  return { asked, decoded: new DecodedFiles('default', { decodeFile }) };
}

describe('files of a directory', () => {
  it('are read beside the thread that serves', async () => {
    const routes = Array.from({ length: 3_000 }, (_, at) => `  - route: [{destination: {host: h${at}}}]\n`).join('');
    const head = 'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n';
    let turns = 0;
    let turn = setImmediate(function again() {
      turns += 1;
      turn = setImmediate(again);
    });
    const state = await new DecodedFiles('default', checker).update(
      files({ 'a.yaml': `${head}  hosts: [a]\n  http:\n${routes}` }),
      signal,
    );
    clearImmediate(turn);
    expect(state.candidates.size).toBe(1);
    // Read here it would have had a turn or two.
    expect(turns).toBeGreaterThan(100);
  });

  it('may have nothing in them, and are told of in the order of their paths', async () => {
    const { decoded } = fragile();
    const state = await decoded.update(files({ a: '', b: '# nothing', c: account('x'), d: account('x') }), signal);
    expect([...state.empty]).toEqual(['a']);
    expect(state.findings.map(({ origin, message }) => `${origin.source}: ${message}`)).toEqual([
      'd: the resource is written before, at c:1:1, and that one counts',
    ]);
  });

  it('of which one takes too much are the others all the same, and it is not tried again until it changes', async () => {
    const { decoded, asked } = fragile();
    const hostile = files({ 'a.yaml': '# exhausted', 'b.yaml': account('b') });
    for (let time = 0; time < 3; time++) {
      const state = await decoded.update(hostile, signal);
      expect([...state.unclear]).toEqual(['a.yaml']);
      expect([...state.candidates.keys()]).toHaveLength(1);
      expect(state.findings).toMatchObject([{ message: 'the file cannot be read: checking failed' }]);
    }
    expect(asked).toEqual(['a.yaml', 'b.yaml']);
    const state = await decoded.update(files({ 'a.yaml': account('a'), 'b.yaml': account('b') }), signal);
    expect([...state.unclear]).toEqual([]);
    expect([...state.candidates.keys()]).toHaveLength(2);
  });

  it('are tried again when the worker failed', async () => {
    const { decoded, asked } = fragile();
    for (let time = 0; time < 2; time++) await decoded.update(files({ 'a.yaml': '# internal' }), signal);
    expect(asked).toEqual(['a.yaml', 'a.yaml']);
  });

  it('that take longer than they may are ended', async () => {
    const clock = new FakeClock();
    const slow = openChecker({ clock, logger: silentLogger });
    await slow.decodeFile({ source: 'a', yaml: account('a') }, 'default', signal);
    const second = slow.decodeFile({ source: 'a', yaml: account('a').repeat(100) }, 'default', signal);
    clock.advance(60_000);
    await expect(second).rejects.toMatchObject({ code: 'exhausted', message: expect.stringMatching('the file took') });
    await slow.close();
  });

  it('are given up when the directory is closed', async () => {
    const closing = new AbortController();
    const update = new DecodedFiles('default', checker).update(files({ a: account('a') }), closing.signal);
    closing.abort();
    await expect(update).rejects.toMatchObject({ code: 'unavailable' });
  });
});
