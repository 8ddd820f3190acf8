import { describe, expect, it } from 'vitest';
import { Counter, type RegisteredMetric } from '../base/stats.ts';
import type { AdminState } from './admin-state.ts';
import { statsPage } from './stats-page.ts';

const name = `cluster.${'a'.repeat(50)}.upstream`;
const metric: RegisteredMetric = { name, labels: {}, metric: new Counter() };
// All that the page reads of it.
const state = { allStats: () => Promise.resolve([metric]) } as unknown as AdminState;
const page = (filter: string) => statsPage(state, new URLSearchParams({ filter }));

describe('/stats?filter=', () => {
  it('matches anywhere in a name, in time linear in it: an engine that tries would not come back', async () => {
    expect(await page('(a+)+$')).toMatchObject({ status: 200, body: '' });
    expect(await page('a{50}')).toMatchObject({ status: 200, body: `${name}: 0\n` });
  });

  it('says that an expression is none', async () => {
    expect(await page('(')).toMatchObject({ status: 400 });
    expect(await page('(a)\\1')).toMatchObject({ status: 400 });
  });
});
