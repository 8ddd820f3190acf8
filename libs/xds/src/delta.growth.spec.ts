import { countWork } from '@flotilla/testing';
import { expect, test } from 'vitest';
import {
  applyDeltaRequest,
  type DeltaSubscription,
  freshDeltaSubscription,
  markDeltaSent,
  planDelta,
} from './delta-subscription.ts';

const QUIET = { resourceNamesSubscribe: [], resourceNamesUnsubscribe: [], initialResourceVersions: {} };

function subscription(size: number): DeltaSubscription {
  const names = Array.from({ length: size }, (_, at) => `name-${at}`);
  const fresh = freshDeltaSubscription();
  applyDeltaRequest(fresh, { ...QUIET, resourceNamesSubscribe: names, responseNonce: '' }, false);
  markDeltaSent(fresh, { changed: names.map((name) => [name, '1']), removed: [], nonce: 'n1' });
  return fresh;
}

test('a change of one name costs the same, from the plan to the ACK, however much is subscribed', async () => {
  const change = (state: DeltaSubscription) => () => {
    const plan = planDelta(state, new Map([['name-1', '2']]), ['name-1']);
    markDeltaSent(state, { changed: plan.changed.map((name) => [name, '2']), removed: plan.removed, nonce: 'n2' });
    applyDeltaRequest(state, { ...QUIET, responseNonce: 'n2' }, false);
  };
  const [small, large] = [subscription(10), subscription(10_000)];
  await countWork(change(subscription(10)));
  const workOfSmall = await countWork(change(small));
  expect(await countWork(change(large))).toBeLessThan(workOfSmall * 1.5 + 10);
  expect([large.known.get('name-1'), large.isAwaiting]).toEqual(['2', false]);
});

test('versions of what a client does not want are not kept', () => {
  const request = {
    ...QUIET,
    resourceNamesSubscribe: ['a'],
    initialResourceVersions: { a: '1', b: '1' },
    responseNonce: '',
  };
  const fresh = freshDeltaSubscription();
  applyDeltaRequest(fresh, request, false);
  expect([...fresh.known]).toEqual([['a', '1']]);
});
