import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { growthOf } from '@flotilla/testing';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { type Listener, ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { expect, test } from 'vitest';
import { createSecretTable } from '../identity/secret-table.ts';
import { StatsRegistry } from '../base/stats.ts';
import { openClusterManager } from '../upstream/cluster-manager.ts';
import { type ClusterSet, createClusterSet } from './cluster-set.ts';
import type { DiscoveryUpdate } from './discovery-stream.ts';
import { createExtensionSet } from './extension-set.ts';
import { createListenerSet, type ListenerSet } from './listener-set.ts';
import { createNamedSet } from './named-set.ts';

const ADS = { edsConfig: { configSourceSpecifier: { case: 'ads' as const, value: {} } } };
const NO_SECRETS = { require: () => undefined, isPresent: () => true };
const SIZE = 200;

/** A configuration with real clusters behind it, and listeners that open nothing. */
class World {
  readonly stats = new StatsRegistry();
  readonly clock = new FakeClock();
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly routes;

  constructor() {
    const { stats, clock } = this;
    const common = { stats, clock, logger: silentLogger };
    const target = openClusterManager({ ...common, secrets: createSecretTable(), random: () => 0 });
    this.clusters = createClusterSet({ ...common, target, secrets: NO_SECRETS, onEndpointNames: () => undefined });
    this.routes = createNamedSet<string, string>({
      ...common,
      decode: (name) => name,
      compile: (name) => name,
      keepsRemoved: true,
      onNames: () => undefined,
      onArrived: (name) => this.listeners.routesArrived(name),
    });
    this.listeners = createListenerSet({
      ...common,
      target: {
        compile: ({ name }) => ({
          neededRoutes: new Map([[name, { statPrefix: `rds.${name}`, fetchTimeoutMs: 0 }]]),
          neededExtensions: new Map(),
        }),
        apply: () => Promise.resolve(),
        remove: () => undefined,
      },
      routes: this.routes,
      extensions: createExtensionSet({
        ...common,
        check: () => {
          throw new Error('there are none');
        },
        onNames: () => undefined,
        onArrived: () => undefined,
      }),
      secrets: NO_SECRETS,
      drainMs: 0,
      answerWithinMs: 0,
    });
  }
}

const names = (size: number) => Array.from({ length: size }, (_, at) => `name-${at}`);
const fail = (_: Cluster, error: unknown) => {
  throw error;
};

function cluster(name: string, type: Cluster_DiscoveryType): Cluster {
  const discovery = { case: 'type', value: type } as const;
  const isEds = type === Cluster_DiscoveryType.EDS;
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: discovery,
    ...(isEds ? { edsClusterConfig: ADS } : { loadAssignment: { clusterName: name } }),
  });
}

function update(resources: readonly { readonly name: string; readonly resource: Any }[]): DiscoveryUpdate {
  const versioned = resources.map(({ name, resource }) => ({ name, version: '1', resource }));
  // What else an update carries is not read here.
  return { systemVersion: '', resources: versioned, removed: [] } as unknown as DiscoveryUpdate;
}

const packed = (one: Cluster) => ({ name: one.name, resource: anyPack(ClusterSchema, one) });
const edsClusters = (size: number) =>
  update(names(size).map((name) => packed(cluster(name, Cluster_DiscoveryType.EDS))));
const endpoints = (all: readonly string[]) =>
  update(
    all.map((name) => {
      const resource = anyPack(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, { clusterName: name }));
      return { name, resource };
    }),
  );
const removal = (removed: readonly string[]) => ({ ...update([]), removed }) as DiscoveryUpdate;
const listener = (name: string): Listener => create(ListenerSchema, { name });

test.each<[string, (size: number) => () => unknown]>([
  [
    'static clusters',
    (size) => {
      const world = new World();
      const all = names(size).map((name) => cluster(name, Cluster_DiscoveryType.STATIC));
      return () => world.clusters.addStatic(all, fail);
    },
  ],
  [
    'static clusters with endpoints from the control plane',
    (size) => {
      const world = new World();
      const all = names(size).map((name) => cluster(name, Cluster_DiscoveryType.EDS));
      return () => world.clusters.addStatic(all, fail);
    },
  ],
  [
    'clusters and their endpoints in one update each',
    (size) => {
      const world = new World();
      return async () => {
        const applied = world.clusters.applyClusters(edsClusters(size));
        await world.clusters.applyEndpoints(endpoints(names(size)));
        await applied;
      };
    },
  ],
  [
    'endpoints in an update each',
    (size) => {
      const world = new World();
      void world.clusters.applyClusters(edsClusters(size));
      const updates = names(size).map((name) => endpoints([name]));
      return async () => {
        for (const one of updates) await world.clusters.applyEndpoints(one);
      };
    },
  ],
  [
    'clusters that go',
    (size) => {
      const world = new World();
      void world.clusters.applyClusters(edsClusters(size));
      void world.clusters.applyEndpoints(endpoints(names(size)));
      return async () => {
        await Promise.resolve();
        await world.clusters.applyClusters(removal(names(size)));
      };
    },
  ],
  [
    'static listeners and their routes',
    (size) => {
      const world = new World();
      return async () => {
        const applied = world.listeners.addStatic(names(size).map(listener));
        await world.routes.applyUpdate(
          update(names(size).map((name) => ({ name, resource: anyPack(ListenerSchema, listener(name)) }))),
        );
        await Promise.all(applied);
      };
    },
  ],
])('twice as many %s are twice the work', async (_, workOf) => {
  expect(await growthOf(SIZE, workOf)).toBeLessThan(2.2);
});
