import { StreamInfo } from '@flotilla/stream';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';
import { describe, expect, it } from 'vitest';
import { decideInOrder, type Policy } from './index.ts';

const says = (outcome: 'allow' | 'deny', name: string): Policy => ({
  decide: ({ method }) => ({ outcome, rule: { name, field: `rules[0]` }, reason: `${method} is known to ${name}` }),
});

describe('policies in order', () => {
  const facts = new StreamInfo(PLAIN_CONNECTION, 0, 0);
  facts.method = 'GET';

  it.each([
    ['allow without one', [], 'allow', null],
    ['allow where all do, by the last rule', [says('allow', 'a'), says('allow', 'b')], 'allow', 'b'],
    ['deny by the first that does', [says('allow', 'a'), says('deny', 'b'), says('deny', 'c')], 'deny', 'b'],
  ] as const)('%s', (_, policies, outcome, rule) => {
    const verdict = decideInOrder(policies, facts);
    expect([verdict.outcome, verdict.rule?.name ?? null]).toEqual([outcome, rule]);
  });
});
