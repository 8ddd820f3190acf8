import { countWork } from '@flotilla/testing';
import { expect, test } from 'vitest';
import {
  applyDeltaRequest,
  type DeltaSubscription,
  freshDeltaSubscription,
  markDeltaSent,
} from './delta-subscription.ts';

const QUIET = { resourceNamesSubscribe: [], resourceNamesUnsubscribe: [], initialResourceVersions: {} };

function subscription(size: number): DeltaSubscription {
  const names = Array.from({ length: size }, (_, at) => `name-${at}`);
  const request = { ...QUIET, resourceNamesSubscribe: names, responseNonce: '' };
  const { state } = applyDeltaRequest(freshDeltaSubscription, request, false);
  return markDeltaSent(state, { changed: new Map(names.map((name) => [name, '1'])), removed: [], nonce: 'n1' });
}

test('an ACK costs the same, however much is subscribed, and passes it on as it is', async () => {
  const ack = { ...QUIET, responseNonce: 'n1' };
  const [small, large] = [subscription(10), subscription(10_000)];
  const { state } = applyDeltaRequest(large, ack, false);
  expect([state.names === large.names, state.known === large.known]).toEqual([true, true]);
  await countWork(() => applyDeltaRequest(small, ack, false));
  const workOfSmall = await countWork(() => applyDeltaRequest(small, ack, false));
  expect(await countWork(() => applyDeltaRequest(large, ack, false))).toBeLessThan(workOfSmall * 1.5 + 10);
});

test('versions of what a client does not want are not kept', () => {
  const request = {
    ...QUIET,
    resourceNamesSubscribe: ['a'],
    initialResourceVersions: { a: '1', b: '1' },
    responseNonce: '',
  };
  expect([...applyDeltaRequest(freshDeltaSubscription, request, false).state.known]).toEqual([['a', '1']]);
});
