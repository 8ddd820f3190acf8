import { silentLogger } from '@flotilla/observe';
import { FakeClock, systemClock } from '@flotilla/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeDocuments } from '../decode/decode-documents.ts';
import { openChecker } from './checker.ts';
import type { Checker } from './checking.ts';

const opened: Checker[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((checker) => checker.close()));
});

function open(clock = systemClock): Checker {
  const checker = openChecker({ clock, logger: silentLogger });
  opened.push(checker);
  return checker;
}

const YAML = [
  'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}',
  'spec:\n  hosts: [a]\n  http:\n  - route:\n    - destination:\n        host: a\n        subset: v1',
  '---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}',
  '---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}',
  '---\nkind: Gateway\napiVersion: networking.istio.io/v1\nmetadata: {name: g}\nspec: {nothing: 1}\n',
].join('\n');
const documents = [{ source: 'f.yaml', yaml: YAML }];
const asked = { documents, defaultNamespace: 'default' };
const SUBSET = ['spec', 'http', 0, 'route', 0, 'destination', 'subset'];

describe('a checker', () => {
  it.each(['own', 'writer'] as const)('reads the documents of %s as if they were read here', async (right) => {
    const here = decodeDocuments(documents, 'default');
    const there = await open().decode(asked, right);
    expect({ ...there, candidates: [] }).toEqual({ ...here, candidates: [] });
    const facts = ({ candidates }: typeof here) => candidates.map(({ content, spec }) => ({ content, spec }));
    expect(facts(there)).toEqual(facts(here));
    const [virtualService] = there.candidates;
    expect(virtualService?.locator.locate(SUBSET, 'value')).toEqual({ source: 'f.yaml', line: 10, column: 17 });
  });

  it('judges for strangers until they had their share, and again when it is regained', async () => {
    const clock = new FakeClock();
    const checker = open(clock);
    const ask = () => checker.validate(asked, 'stranger');
    const { findings } = await ask();
    expect(findings.map(({ code }) => code)).toContain('IST0106');
    for (let time = 0; time < 2; time++) {
      const running = ask();
      clock.advance(4_999);
      await running;
    }
    await expect(ask()).rejects.toMatchObject({ code: 'exhausted', message: expect.stringMatching('for now') });
    clock.advance(20_000);
    await expect(ask()).resolves.toMatchObject({ ignored: ['v1 Secret default/s'] });
  });

  it('refuses what is too large for a stranger, and takes it of those who may write', async () => {
    const checker = open();
    const large = { documents: [{ source: 'f', yaml: `#${'x'.repeat(1 << 20)}` }], defaultNamespace: 'default' };
    await expect(checker.validate(large, 'stranger')).rejects.toMatchObject({ code: 'exhausted' });
    await expect(checker.validate(large, 'writer')).resolves.toMatchObject({ findings: [{ code: 'FLT0006' }] });
  });
});
