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
  const state = freshDeltaSubscription();
  requests.forEach((fields, index) => {
    applyDeltaRequest(state, request(fields), legacy);
    if (!sendBetween || index === requests.length - 1) return;
    const plan = planDelta(state, OFFER);
    const changed = new Map(plan.changed.map((name) => [name, OFFER.get(name) ?? '']));
    markDeltaSent(state, { changed, removed: plan.removed, nonce: `n${index}` });
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
    expect(requireAnswer(held, ['a', 'b'])).toBe(true);
    expect(planDelta(held, OFFER).changed).toEqual(['a']);
    expect(requireAnswer(held, ['b'])).toBe(false);
  });
});

describe('answers', () => {
  const sent = () => {
    const subscription = after([{}]);
    markDeltaSent(subscription, { changed: OFFER, removed: [], nonce: 'n1' });
    return subscription;
  };
  const answer = (subscription: DeltaSubscription, fields: Partial<DeltaRequestFields>) =>
    applyDeltaRequest(subscription, request(fields), true).answer;
  /** A client that took everything, and then refused these. */
  const refusing = (changes: ReadonlyMap<string, string>) => {
    const subscription = sent();
    answer(subscription, { responseNonce: 'n1' });
    markDeltaSent(subscription, { changed: changes, removed: [], nonce: 'n2' });
    answer(subscription, { responseNonce: 'n2', errorDetail: { message: 'no' } });
    return subscription;
  };

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
  ])('%s', (_name, fields, expected, state) => {
    const subscription = sent();
    expect(answer(subscription, fields)).toBe(expected);
    expect(subscription).toMatchObject(state);
  });

  test('what was refused is not sent again until it changes, and then all of it is', () => {
    const refused = sent();
    answer(refused, { responseNonce: 'n1', errorDetail: { message: 'no' } });
    expect(planDelta(refused, OFFER)).toMatchObject({ changed: [], removed: [] });
    expect(planDelta(refused, new Map([...OFFER, ['a', '2']])).changed).toEqual(['a', 'b']);
    expect(planDelta(refused, new Map([['b', '1']])).changed).toEqual(['b']);
  });

  test('what was refused beside something is sent when that is as it was before', () => {
    const refused = refusing(new Map([...OFFER.keys()].map((name) => [name, '2'])));
    expect(planDelta(refused, new Map([...OFFER, ['b', '2']])).changed).toEqual(['b']);
  });

  test('a refusal is settled when what was refused is no longer offered and the rest is held', () => {
    const refused = refusing(new Map([['a', '2']]));
    expect(planDelta(refused, new Map([...OFFER, ['a', '2']])).isComplete).toBe(false);
    expect(planDelta(refused, OFFER).isComplete).toBe(true);
    settleDelta(refused);
    expect(refused.refusal).toBeNull();
  });

  test('a client that refused a change still holds what it had, and is told when that goes', () => {
    const refused = refusing(new Map([['a', '2']]));
    expect(planDelta(refused, OFFER)).toMatchObject({ changed: [], removed: [] });
    expect(planDelta(refused, new Map([['b', '1']])).removed).toEqual(['a']);
  });
});

describe('a plan that is told which names may differ', () => {
  const changed = new Map([
    ['a', '2'],
    ['c', '1'],
  ]);

  test('is the same as one that looks at everything', () => {
    const held = after([{ initialResourceVersions: { a: '1', b: '1', d: '1' } }]);
    expect(planDelta(held, new Map([...changed, ['d', '1']]), ['a', 'b', 'c'])).toEqual(
      planDelta(held, new Map([...changed, ['d', '1']])),
    );
  });

  test('looks at what must be answered, too, and at what was refused', () => {
    const asking = after([{ initialResourceVersions: { a: '1', b: '1' } }, { resourceNamesSubscribe: ['x'] }]);
    expect(planDelta(asking, OFFER, [])).toEqual({ changed: [], removed: ['x'], isComplete: false });
    markDeltaSent(asking, { changed: [['a', '2']], removed: ['x'], nonce: 'n' });
    applyDeltaRequest(asking, request({ responseNonce: 'n', errorDetail: { message: 'no' } }), true);
    const offer = new Map([
      ['a', '2'],
      ['b', '2'],
    ]);
    expect(planDelta(asking, offer, ['b']).changed).toEqual(['b', 'a']);
  });

  test('is due for everything when everything is asked for, or no longer', () => {
    const subscription = freshDeltaSubscription();
    const isWholeDue = (fields: Partial<DeltaRequestFields>) =>
      applyDeltaRequest(subscription, request(fields), false).isWholeDue;
    expect(isWholeDue({ resourceNamesSubscribe: ['a'] })).toBe(true);
    expect(isWholeDue({ resourceNamesSubscribe: ['b'] })).toBe(false);
    expect(isWholeDue({ resourceNamesSubscribe: ['*'] })).toBe(true);
    expect(isWholeDue({ resourceNamesUnsubscribe: ['*'] })).toBe(true);
  });
});
