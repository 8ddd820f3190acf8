import { hostCovers } from '@flotilla/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostIndex } from './host-index.ts';

const label = fc.constantFrom('a', 'b', 'ab', '-a');
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const host = fc.oneof(
  name,
  name.map((rest) => `*.${rest}`),
  name.map((rest) => `*${rest}`),
  fc.constant('*'),
);

describe('HostIndex', () => {
  it('covers what some host covers, and finds what some pattern covers', () => {
    fc.assert(
      fc.property(fc.array(host), fc.array(host), (hosts, asked) => {
        const index = new HostIndex();
        hosts.forEach((each, at) => index.add(`key ${at}`, [each]));
        for (const each of asked) expect(index.covers(each)).toBe(hosts.some((other) => hostCovers(other, each)));
        const covered = hosts.flatMap((each, at) =>
          asked.some((other) => hostCovers(other, each)) ? [`key ${at}`] : [],
        );
        expect([...index.coveredByAny(new Set(asked))].sort()).toEqual(covered.sort());
      }),
    );
  });
});
