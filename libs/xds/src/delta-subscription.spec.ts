import { describe, expect, test } from 'vitest';
import {
  applyDeltaRequest,
  type DeltaRequestFields,
  type DeltaSubscription,
  freshDeltaSubscription,
  markDeltaSent,
  planDelta,
  requireAnswer,
  settleDelta,
} from './delta-subscription.ts';

function request(fields: Partial<DeltaRequestFields>): DeltaRequestFields {
  return {
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: '',
    ...fields,
  };
}

const OFFER = new Map([
  ['a', '1'],
  ['b', '1'],
]);

function after(requests: Partial<DeltaRequestFields>[], legacy = true, sendBetween = true): DeltaSubscription {
  let state = freshDeltaSubscription;
  requests.forEach((fields, index) => {
    state = applyDeltaRequest(state, request(fields), legacy).state;
    if (!sendBetween || index === requests.length - 1) return;
    const plan = planDelta(state, OFFER);
    const changed = new Map(plan.changed.map((name) => [name, OFFER.get(name) ?? '']));
    state = markDeltaSent(state, { changed, removed: plan.removed, nonce: `n${index}` });
  });
  return state;
}

describe('what a subscription is sent', () => {
  test.each<[string, Partial<DeltaRequestFields>[], boolean, string[], string[]]>([
    ['an empty first request means everything', [{}], true, ['a', 'b'], []],
    ['an empty first request means nothing for a type without wildcard', [{}], false, [], []],
    ['a star means everything for any type', [{ resourceNamesSubscribe: ['*'] }], false, ['a', 'b'], []],
    ['a name means that name', [{ resourceNamesSubscribe: ['b'] }], true, ['b'], []],
    ['a name that does not exist is answered as removed', [{ resourceNamesSubscribe: ['x'] }], true, [], ['x']],
    [
      'versions of the first request are not sent again',
      [{ initialResourceVersions: { a: '1', b: '0' } }],
      true,
      ['b'],
      [],
    ],
    [
      'a held resource that is gone is removed',
      [{ initialResourceVersions: { a: '1', b: '1', old: '7' } }],
      true,
      [],
      ['old'],
    ],
    [
      'named and held in the first request is not sent again',
      [{ resourceNamesSubscribe: ['a'], initialResourceVersions: { a: '1' } }],
      false,
      [],
      [],
    ],
    ['an empty later request asks for nothing new', [{}, {}], true, [], []],
    [
      'asking again for a held name sends it again',
      [{ resourceNamesSubscribe: ['a'] }, { resourceNamesSubscribe: ['a'] }],
      true,
      ['a'],
      [],
    ],
    [
      'a name dropped is silent',
      [{ resourceNamesSubscribe: ['a', 'b'] }, { resourceNamesUnsubscribe: ['a'] }],
      true,
      [],
      [],
    ],
    [
      'a name dropped under a wildcard is sent again',
      [{ resourceNamesSubscribe: ['*', 'a'] }, { resourceNamesUnsubscribe: ['a'] }],
      true,
      ['a'],
      [],
    ],
    [
      'dropping the star keeps the names',
      [{ resourceNamesSubscribe: ['*', 'a'] }, { resourceNamesUnsubscribe: ['*'] }],
      true,
      [],
      [],
    ],
  ])('%s', (_name, requests, legacy, changed, removed) => {
    const plan = planDelta(after(requests, legacy), OFFER);
    expect(plan).toMatchObject({ changed, removed });
  });

  test('a changed version is sent, an equal one is not', () => {
    const held = after([{ initialResourceVersions: { a: '1', b: '1' } }]);
    expect(planDelta(held, new Map([...OFFER, ['b', '2']]))).toMatchObject({ changed: ['b'], removed: [] });
  });

  test('a resource whose answer is required is sent although it is held', () => {
    const held = after([{ resourceNamesSubscribe: ['a'], initialResourceVersions: { a: '1' } }], false);
    expect(planDelta(requireAnswer(held, ['a', 'b']), OFFER).changed).toEqual(['a']);
  });
});

describe('answers', () => {
  const sent = markDeltaSent(after([{}]), { changed: OFFER, removed: [], nonce: 'n1' });

  test.each<[string, Partial<DeltaRequestFields>, string, Partial<DeltaSubscription>]>([
    ['the nonce alone accepts', { responseNonce: 'n1' }, 'ack', { isAwaiting: false, nonceAcked: 'n1', refusal: null }],
    [
      'the nonce with an error refuses',
      { responseNonce: 'n1', errorDetail: { message: 'no' } },
      'nack',
      { isAwaiting: false, nonceAcked: '', refusal: 'no' },
    ],
    ['an older nonce says nothing', { responseNonce: 'n0' }, 'stale', { isAwaiting: true }],
    ['no nonce says nothing', { resourceNamesSubscribe: ['z'] }, 'none', { isAwaiting: true }],
  ])('%s', (_name, fields, answer, expected) => {
    const outcome = applyDeltaRequest(sent, request(fields), true);
    expect(outcome.answer).toBe(answer);
    expect(outcome.state).toMatchObject(expected);
  });

  test('what was refused is not sent again until it changes, and then all of it is', () => {
    const refused = applyDeltaRequest(
      sent,
      request({ responseNonce: 'n1', errorDetail: { message: 'no' } }),
      true,
    ).state;
    expect(planDelta(refused, OFFER)).toMatchObject({ changed: [], removed: [] });
    expect(planDelta(refused, new Map([...OFFER, ['a', '2']])).changed).toEqual(['a', 'b']);
    expect(planDelta(refused, new Map([['b', '1']])).changed).toEqual(['b']);
  });

  test('what was refused beside something is sent when that is as it was before', () => {
    const held = applyDeltaRequest(sent, request({ responseNonce: 'n1' }), true).state;
    const changes = new Map([
      ['a', '2'],
      ['b', '2'],
    ]);
    const changed = markDeltaSent(held, { changed: changes, removed: [], nonce: 'n2' });
    const refusal = request({ responseNonce: 'n2', errorDetail: { message: 'no' } });
    const refused = applyDeltaRequest(changed, refusal, true).state;
    expect(planDelta(refused, new Map([...OFFER, ['b', '2']])).changed).toEqual(['b']);
  });

  test('a refusal is settled when what was refused is no longer offered and the rest is held', () => {
    const held = applyDeltaRequest(sent, request({ responseNonce: 'n1' }), true).state;
    const changed = markDeltaSent(held, { changed: new Map([['a', '2']]), removed: [], nonce: 'n2' });
    const refusal = request({ responseNonce: 'n2', errorDetail: { message: 'no' } });
    const refused = applyDeltaRequest(changed, refusal, true).state;
    expect(planDelta(refused, new Map([...OFFER, ['a', '2']])).isComplete).toBe(false);
    expect(planDelta(refused, OFFER).isComplete).toBe(true);
    expect(settleDelta(refused).refusal).toBeNull();
  });

  test('a client that refused a change still holds what it had, and is told when that goes', () => {
    const held = applyDeltaRequest(sent, request({ responseNonce: 'n1' }), true).state;
    const changed = markDeltaSent(held, { changed: new Map([['a', '2']]), removed: [], nonce: 'n2' });
    const refused = applyDeltaRequest(
      changed,
      request({ responseNonce: 'n2', errorDetail: { message: 'no' } }),
      true,
    ).state;
    expect(planDelta(refused, OFFER)).toMatchObject({ changed: [], removed: [] });
    expect(planDelta(refused, new Map([['b', '1']])).removed).toEqual(['a']);
  });
});
