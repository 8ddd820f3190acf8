import { expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { silentLogger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { createInProcessBus } from '@flotilla/bus';
import { FakeClock } from '@flotilla/runtime';
import { GalleyService, type Resource, ResourceSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { applyUpdate, emptyMesh, type Mesh, meshDefaults } from '@flotilla/translate';
import { meshConfig } from '@flotilla/translate/testing';
import { Follower } from './follow.ts';

function gateway(name: string, servers: string | { readonly [field: string]: string }[]): Resource {
  return create(ResourceSchema, {
    key: { group: 'networking.istio.io', kind: 'Gateway', namespace: 'default', name },
    apiVersion: 'networking.istio.io/v1',
    body: { spec: { selector: { istio: name }, servers } },
    resourceVersion: 1n,
  });
}

test.each([
  ['a snapshot', true],
  ['changes', false],
])('a resource of %s that cannot be read stays as it was last good, and stops no other', async (_, snapshot) => {
  const answers = [
    { version: 1n, snapshot: true, resources: [gateway('a', []), gateway('gone', [])] },
    {
      version: 2n,
      snapshot,
      resources: [gateway('a', 'of a later version'), gateway('new', 'of a later version'), gateway('b', [])],
    },
  ] as const;
  const bus = createInProcessBus();
  let mesh: Mesh = emptyMesh({
    config: meshDefaults(meshConfig({})),
    trustDomain: 'cluster.local',
    domainSuffix: 'cluster.local',
    rootNamespace: 'istio-system',
    clusterId: 'Kubernetes',
  });
  const seen = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  const follower = new Follower({
    galley: createInMemoryTransport((router) =>
      router.service(GalleyService, {
        listChanges: ({ sinceVersion }) => {
          const { resources, ...rest } = sinceVersion === 0n ? answers[0] : answers[1];
          return { ...rest, changes: resources.map((resource) => ({ key: resource.key, resource })) };
        },
      }),
    ),
    bus,
    clock: new FakeClock(),
    random: () => 0.5,
    logger: silentLogger,
    onUpdate(update) {
      mesh = applyUpdate(mesh, update);
      seen[update.version - 1]?.resolve();
    },
  });
  await follower.start();
  await seen[0].promise;
  const [before] = mesh.gateways;
  await bus.publish({ epoch: '', version: 2, keys: [] });
  await seen[1].promise;
  expect(mesh.gateways.map(({ key }) => key.name)).toEqual(snapshot ? ['a', 'b'] : ['a', 'b', 'gone']);
  expect(mesh.gateways[0]).toBe(before);
  follower.close();
});

interface Asked {
  readonly sinceVersion: bigint;
  readonly sinceEpoch: string;
}

/** A follower of a galley whose answers a test gives one by one. */
async function followBy(answers: readonly { epoch: string; version: bigint; snapshot: boolean }[]) {
  const bus = createInProcessBus();
  const asked: Asked[] = [];
  const arrivals = answers.map(() => Promise.withResolvers<void>());
  const follower = new Follower({
    galley: createInMemoryTransport((router) =>
      router.service(GalleyService, {
        listChanges: ({ sinceVersion, sinceEpoch }) => {
          asked.push({ sinceVersion, sinceEpoch });
          return answers[asked.length - 1] ?? expect.unreachable('it was asked once more');
        },
      }),
    ),
    bus,
    // Stands still: nothing is looked for but on a word of the bus.
    clock: new FakeClock(),
    random: () => 0.5,
    logger: silentLogger,
    onUpdate: () => arrivals[asked.length - 1]?.resolve(),
  });
  await follower.start();
  await arrivals[0]?.promise;
  return { bus, asked, follower, arrived: (index: number) => arrivals[index]?.promise };
}

test('who was cut off from the bus looks as soon as it is back', async () => {
  const { bus, asked, follower, arrived } = await followBy([
    { epoch: 'a', version: 1n, snapshot: true },
    { epoch: 'a', version: 2n, snapshot: false },
  ]);
  await bus.interrupt(() => bus.publish({ epoch: 'a', version: 2, keys: [] }));
  await arrived(1);
  expect(asked[1]).toEqual({ sinceVersion: 1n, sinceEpoch: 'a' });
  follower.close();
});

test('a store that was made anew is followed, although its versions count from the beginning', async () => {
  const { bus, asked, follower, arrived } = await followBy([
    { epoch: 'a', version: 57n, snapshot: true },
    { epoch: 'b', version: 3n, snapshot: true },
    { epoch: 'b', version: 4n, snapshot: false },
  ]);
  await bus.publish({ epoch: 'b', version: 3, keys: [] });
  await arrived(1);
  expect(asked[1]).toEqual({ sinceVersion: 57n, sinceEpoch: 'a' });
  await bus.publish({ epoch: 'b', version: 4, keys: [] });
  await arrived(2);
  expect(asked[2]).toEqual({ sinceVersion: 3n, sinceEpoch: 'b' });
  follower.close();
});
