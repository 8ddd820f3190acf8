import { expect, test } from 'vitest';
import { acceptDelta, deltaClient, openDelta, refuseDelta, subscribeDelta } from './delta-client.ts';
import { applyDeltaRequest, freshDeltaSubscription, markDeltaSent, planDelta } from './delta-subscription.ts';
import { contentVersion, setVersion } from './version.ts';
import { PUSH_ORDER, REMOVAL_ORDER, inPushOrder } from './push-order.ts';

const TYPE = 'type.googleapis.com/test';

function response(resources: Record<string, string>, removedResources: string[] = [], nonce = 'n1') {
  return {
    typeUrl: TYPE,
    nonce,
    resources: Object.entries(resources).map(([name, version]) => ({ name, version })),
    removedResources,
  };
}

test('a stream opens with the versions that the last one left', () => {
  const first = acceptDelta(deltaClient(TYPE, { wildcard: true }), response({ a: '1', b: '1' }));
  expect(first.request).toEqual({ typeUrl: TYPE, responseNonce: 'n1' });
  const second = acceptDelta(first.state, response({ b: '2' }, ['a']));
  expect(openDelta(second.state)).toEqual({
    typeUrl: TYPE,
    resourceNamesSubscribe: [],
    initialResourceVersions: { b: '2' },
  });
});

test('a refusal keeps the versions in use and names the reason', () => {
  const held = acceptDelta(deltaClient(TYPE, { wildcard: true }), response({ a: '1' })).state;
  expect(refuseDelta(held, response({ a: '2' }), 'no such filter')).toEqual({
    typeUrl: TYPE,
    responseNonce: 'n1',
    errorDetail: { code: 3, message: 'no such filter' },
  });
  expect(openDelta(held)?.initialResourceVersions).toEqual({ a: '1' });
});

test('names that come and go are said once, and forgotten when gone', () => {
  const one = subscribeDelta(deltaClient(TYPE, { wildcard: false }), ['a', 'b']);
  expect(one.request?.resourceNamesSubscribe).toEqual(['a', 'b']);
  const held = acceptDelta(one.state, response({ a: '1', b: '1', stray: '1' })).state;
  const two = subscribeDelta(held, ['b', 'c']);
  expect(two.request).toEqual({ typeUrl: TYPE, resourceNamesSubscribe: ['c'], resourceNamesUnsubscribe: ['a'] });
  expect(Object.keys(openDelta(two.state)?.initialResourceVersions ?? {})).toEqual(['b']);
  expect(subscribeDelta(two.state, ['b', 'c']).request).toBeNull();
});

test('nothing wanted opens nothing', () => {
  expect(openDelta(deltaClient(TYPE, { wildcard: false }))).toBeNull();
});

test('a client that comes back to the same resources is sent none', () => {
  const offer = new Map([
    ['a', '1'],
    ['b', '1'],
  ]);
  const client = acceptDelta(deltaClient(TYPE, { wildcard: true }), response({ a: '1', b: '1' })).state;
  const opening = openDelta(client);
  const server = freshDeltaSubscription();
  applyDeltaRequest(
    server,
    {
      resourceNamesSubscribe: opening?.resourceNamesSubscribe ?? [],
      resourceNamesUnsubscribe: [],
      initialResourceVersions: opening?.initialResourceVersions ?? {},
      responseNonce: '',
    },
    true,
  );
  expect(planDelta(server, offer)).toMatchObject({ changed: [], removed: [] });
  markDeltaSent(server, { changed: new Map([['b', '2']]), removed: ['a'], nonce: 'n9' });
  expect([...server.known]).toEqual([['b', '2']]);
});

test('versions follow content, not time or order', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  expect(contentVersion(bytes)).toBe(contentVersion(new Uint8Array([1, 2, 3])));
  expect(contentVersion(bytes)).not.toBe(contentVersion(new Uint8Array([1, 2, 4])));
  expect(
    setVersion(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    ),
  ).toBe(
    setVersion(
      new Map([
        ['b', '2'],
        ['a', '1'],
      ]),
    ),
  );
});

test('clusters come first and go last', () => {
  expect(inPushOrder(['RDS', 'EDS', 'CDS'])).toEqual(['CDS', 'EDS', 'RDS']);
  expect(PUSH_ORDER.indexOf('LDS')).toBeLessThan(PUSH_ORDER.indexOf('RDS'));
  expect(REMOVAL_ORDER.indexOf('CDS')).toBeGreaterThan(REMOVAL_ORDER.indexOf('LDS'));
});
