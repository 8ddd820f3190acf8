import { describe, expect, test } from 'vitest';
import { applySotwRequest, freshSotwSubscription, markSotwSent, type SotwRequestFields } from './sotw-subscription.ts';

function request(fields: Partial<SotwRequestFields>): SotwRequestFields {
  return { versionInfo: '', resourceNames: [], responseNonce: '', ...fields };
}

const asked = applySotwRequest(freshSotwSubscription, request({ resourceNames: ['a', 'b'] }), false).state;
const sent = markSotwSent(asked, { version: '7', nonce: 'n1' });
const all = markSotwSent(applySotwRequest(freshSotwSubscription, request({}), true).state, {
  version: '7',
  nonce: 'n1',
});

describe('requests after a response', () => {
  test.each<[string, Partial<SotwRequestFields>, string, string[], boolean]>([
    [
      'the same names with the nonce accept',
      { versionInfo: '7', resourceNames: ['a', 'b'], responseNonce: 'n1' },
      'ack',
      [],
      false,
    ],
    [
      'an error refuses',
      { versionInfo: '', resourceNames: ['a', 'b'], responseNonce: 'n1', errorDetail: { message: 'no' } },
      'nack',
      [],
      false,
    ],
    [
      'a new name is answered',
      { versionInfo: '7', resourceNames: ['a', 'b', 'c'], responseNonce: 'n1' },
      'resubscribe',
      ['c'],
      true,
    ],
    [
      'a dropped name is silent',
      { versionInfo: '7', resourceNames: ['a'], responseNonce: 'n1' },
      'resubscribe',
      [],
      false,
    ],
    [
      'an old nonce is ignored',
      { versionInfo: '6', resourceNames: ['a', 'c'], responseNonce: 'n0' },
      'stale',
      [],
      false,
    ],
  ])('%s', (_name, fields, kind, added, mustRespond) => {
    expect(applySotwRequest(sent, request(fields), false)).toMatchObject({ kind, added, mustRespond });
  });

  test('a refusal is remembered until a later response is taken', () => {
    const refused = applySotwRequest(
      sent,
      request({ responseNonce: 'n1', resourceNames: ['a', 'b'], errorDetail: { message: 'no' } }),
      false,
    );
    expect(refused.state).toMatchObject({ refusal: 'no', versionAcked: '' });
    const again = markSotwSent(refused.state, { version: '8', nonce: 'n2' });
    const taken = applySotwRequest(
      again,
      request({ responseNonce: 'n2', versionInfo: '8', resourceNames: ['a', 'b'] }),
      false,
    );
    expect(taken.state).toMatchObject({ refusal: null, versionAcked: '8' });
  });
});

describe('wildcard', () => {
  test.each<[string, Partial<SotwRequestFields>, boolean, boolean, boolean]>([
    ['no names ask for everything', {}, true, true, true],
    ['no names ask for nothing where there is no wildcard', {}, false, false, false],
    ['a star asks for everything', { resourceNames: ['*'] }, false, true, true],
    [
      'a first request with a nonce of an earlier stream is answered',
      { versionInfo: '6', responseNonce: 'old' },
      true,
      true,
      true,
    ],
  ])('%s', (_name, fields, legacy, wildcard, mustRespond) => {
    const outcome = applySotwRequest(freshSotwSubscription, request(fields), legacy);
    expect(outcome).toMatchObject({ kind: 'first', mustRespond, state: { wildcard } });
  });

  test('once named, an empty list no longer means everything', () => {
    const named = applySotwRequest(all, request({ responseNonce: 'n1', resourceNames: ['a'] }), true);
    expect(named.state.wildcard).toBe(false);
    expect(applySotwRequest(named.state, request({ responseNonce: 'n1' }), true).state.wildcard).toBe(false);
  });
});
