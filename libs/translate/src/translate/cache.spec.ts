import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ResourceCache } from './cache.ts';
import { clusterDraft } from './draft.ts';
import { contentOf, field } from './encoded.ts';
import type { Patch } from './finish.ts';

const generator = ({ name }: { readonly name: string; readonly part: object; readonly list: readonly object[] }) =>
  clusterDraft(name, { name });

test('equal arguments give one resource: names by value, parts by identity, lists by element', () => {
  const cache = new ResourceCache();
  const part = {};
  const [a, b] = [{}, {}];
  const first = cache.get(generator, { name: 'x', part, list: [a, b] });
  expect(cache.get(generator, { name: 'x', part, list: [a, b] })).toBe(first);
  expect(cache.get(generator, { name: 'x', part: {}, list: [a, b] })).not.toBe(first);
  expect(cache.get(generator, { name: 'x', part, list: [b, a] })).not.toBe(first);
  expect(cache.statistics).toEqual({ hits: 1, misses: 3, entries: 3 });
});

test('the same content has the same version, whatever it was made from', () => {
  const cache = new ResourceCache();
  const first = cache.get(generator, { name: 'x', part: {}, list: [] });
  expect(cache.get(generator, { name: 'x', part: {}, list: [] }).version).toBe(first.version);
  expect(cache.get(generator, { name: 'y', part: {}, list: [] }).version).not.toBe(first.version);
});

test('what was not used for longest goes first', () => {
  const cache = new ResourceCache(2);
  const part = {};
  const first = cache.get(generator, { name: 'a', part, list: [] });
  cache.get(generator, { name: 'b', part, list: [] });
  cache.get(generator, { name: 'a', part, list: [] });
  cache.get(generator, { name: 'c', part, list: [] });
  expect(cache.get(generator, { name: 'a', part, list: [] })).toBe(first);
  expect(cache.statistics).toMatchObject({ entries: 2, misses: 3 });
});

test('a field longer than 127 bytes has its length in two', () => {
  expect([...field(2, new Uint8Array(200)).subarray(0, 3)]).toEqual([0x12, 0xc8, 0x01]);
});

test('what is patched is a resource of its own, made anew for each list of patches', () => {
  const cache = new ResourceCache();
  const inputs = { name: 'x', part: {}, list: [] };
  const patch: Patch = {
    apply: (draft) =>
      draft.type === 'CDS' ? clusterDraft(draft.name, { ...draft.message, altStatName: 'patched' }) : draft,
  };
  const plain = cache.get(generator, inputs);
  const patched = cache.get(generator, inputs, [patch]);
  expect(patched.version).not.toBe(plain.version);
  expect(fromBinary(ClusterSchema, contentOf(patched))).toMatchObject({ name: 'x', altStatName: 'patched' });
  expect(cache.get(generator, inputs, [patch])).toBe(patched);
  expect(cache.get(generator, inputs, [{ ...patch }])).not.toBe(patched);
  expect(cache.get(generator, inputs)).toBe(plain);
});
