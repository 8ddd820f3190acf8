import { describe, expect, test } from 'vitest';
import { acceptSotw, openSotw, refuseSotw, receiveSotw, sotwClient, subscribeSotw } from './sotw-client.ts';
import { applySotwRequest, freshSotwSubscription, markSotwSent } from './sotw-subscription.ts';

const TYPE = 'type.googleapis.com/test';
const all = sotwClient(TYPE, { wildcard: true });
const some = sotwClient(TYPE, { wildcard: false });

describe('a state-of-the-world client', () => {
  test('opens a stream with the version in use, and without the nonce of the last stream', () => {
    const { state } = acceptSotw(all, { versionInfo: '7', nonce: 'n1' });
    expect(openSotw(state).request).toEqual({
      typeUrl: TYPE,
      resourceNames: [],
      versionInfo: '7',
      responseNonce: '',
    });
  });

  test('opens nothing when it wants nothing', () => {
    expect(openSotw(some).request).toBeNull();
  });

  test('says all names again when one comes or goes, and nothing when none does', () => {
    const one = subscribeSotw(some, ['a', 'b']);
    expect(one.request).toMatchObject({ resourceNames: ['a', 'b'], versionInfo: '', responseNonce: '' });
    const held = acceptSotw(one.state, { versionInfo: '1', nonce: 'n1' }).state;
    const two = subscribeSotw(held, ['b', 'c']);
    expect(two.request).toMatchObject({ resourceNames: ['b', 'c'], versionInfo: '1', responseNonce: 'n1' });
    expect(subscribeSotw(two.state, ['c', 'b']).request).toBeNull();
    expect(subscribeSotw(two.state, []).request).toMatchObject({ resourceNames: [] });
  });

  test('takes what a whole response leaves out for removed, and nothing where a response is a part', () => {
    const { state } = receiveSotw(all, ['a', 'b']);
    expect(receiveSotw(state, ['b', 'c']).removed).toEqual(['a']);
    const part = receiveSotw(subscribeSotw(some, ['a', 'b']).state, ['a']);
    expect(receiveSotw(part.state, ['b']).removed).toEqual([]);
  });

  test('refuses with the nonce of the response and the version in use', () => {
    const { state } = acceptSotw(all, { versionInfo: '1', nonce: 'n1' });
    const refused = refuseSotw(state, { versionInfo: '2', nonce: 'n2' }, 'no such filter');
    expect(refused.request).toEqual({
      typeUrl: TYPE,
      resourceNames: [],
      versionInfo: '1',
      responseNonce: 'n2',
      errorDetail: { code: 3, message: 'no such filter' },
    });
  });

  test('is understood by our own server', () => {
    const { state, request } = subscribeSotw(some, ['a']);
    if (request === null) throw new Error('names were added');
    const opened = applySotwRequest(freshSotwSubscription, request, false);
    expect(opened).toMatchObject({ kind: 'first', added: ['a'] });
    const sent = markSotwSent(opened.state, { version: '5', nonce: 'n1' });
    const ack = acceptSotw(state, { versionInfo: '5', nonce: 'n1' }).request;
    if (ack === null) throw new Error('a response is always answered');
    expect(applySotwRequest(sent, ack, false).kind).toBe('ack');
  });
});
