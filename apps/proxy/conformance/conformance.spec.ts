import { withPeer } from '@flotilla/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { FAMILIES, generateScenarios } from './random/families.ts';
import { judge, type Judgement } from './judge.ts';
import { loadScenarios } from './load.ts';
import { showVerdict } from './report.ts';

const SEED = Number(process.env['FLOTILLA_SEED'] ?? 4711);
const GENERATED = Number(process.env['FLOTILLA_CONFORMANCE_GENERATED'] ?? 2_000);
const TIMEOUT_MS = 600_000;

const written = await loadScenarios();

withPeer('envoy', (program) => {
  describe('our proxy does what Envoy does', () => {
    let judgement: Judgement;

    beforeAll(async () => {
      const each = Math.ceil(GENERATED / FAMILIES.length);
      console.log(`conformance: ${GENERATED} generated scenarios with seed ${SEED}`);
      const generated = FAMILIES.flatMap((family) => generateScenarios(family, each, SEED));
      judgement = await judge([...written, ...generated], program);
    }, TIMEOUT_MS);

    const unexplained = (isMeant: (name: string) => boolean): string =>
      judgement.verdicts
        .filter(({ scenario, kind }) => kind === 'unexplained' && isMeant(scenario.name))
        .map(showVerdict)
        .join('\n\n');

    it.each(written.map(({ name }) => name))('%s', (name) => {
      expect(unexplained((each) => each === name)).toBe('');
    });

    it.each(FAMILIES.map(({ name }) => name))('generated: %s', (name) => {
      expect(unexplained((each) => each.startsWith(`generated/${name}/`))).toBe('');
    });

    it('has no exception without use', () => {
      expect(judgement.unused).toEqual([]);
    });
  });
});
