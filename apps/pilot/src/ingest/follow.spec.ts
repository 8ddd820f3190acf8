import { expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { silentLogger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { createInProcessBus } from '@flotilla/bus';
import { FakeClock } from '@flotilla/runtime';
import { GalleyService, type Resource, ResourceSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { applyUpdate, emptyMesh, type Mesh } from '../mesh/mesh.ts';
import { meshDefaults } from '../mesh/settings.ts';
import { meshConfig } from '../testing/world.ts';
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
  await bus.publish({ version: 2, keys: [] });
  await seen[1].promise;
  expect(mesh.gateways.map(({ key }) => key.name)).toEqual(snapshot ? ['a', 'b'] : ['a', 'b', 'gone']);
  expect(mesh.gateways[0]).toBe(before);
  follower.close();
});
