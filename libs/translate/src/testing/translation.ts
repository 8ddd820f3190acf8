import type { Resources } from '@flotilla/decide';
import { create, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { formatKey, keyFromWire, toMeshResource } from '@flotilla/model';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { applyUpdate, emptyMesh, type Mesh } from '../mesh/mesh.ts';
import { parseProxyNode, type ProxyNode } from '../mesh/proxy-node.ts';
import { meshDefaults } from '../mesh/settings.ts';
import { viewOf } from '../mesh/view.ts';
import { ResourceCache } from '../translate/cache.ts';
import { type GeneratedType, SCHEMAS } from '../translate/draft.ts';
import { contentOf } from '../translate/encoded.ts';
import { generate, omissions } from '../translate/generate.ts';
import { PACKED_TYPES } from '../translate/protobuf.ts';
import { readResources } from './documents.ts';
import { meshConfig, type NodeInit } from './nodes.ts';

/** The mesh of a YAML text. */
export function meshOf(yaml: string, config: MeshConfig = meshConfig({})): Mesh {
  const empty = emptyMesh({
    config: meshDefaults(config),
    trustDomain: 'cluster.local',
    domainSuffix: 'cluster.local',
    rootNamespace: 'istio-system',
    clusterId: 'Kubernetes',
  });
  return applyUpdate(empty, {
    version: 1,
    isSnapshot: true,
    changes: readResources(yaml, 1, 1_700_000_000_000).map((resource) => ({
      key: keyFromWire(resource.key),
      resource: toMeshResource(resource) ?? fail(`${formatKey(keyFromWire(resource.key))} means nothing`),
    })),
  });
}

export function proxyOf(node: NodeInit): ProxyNode {
  return parseProxyNode(create(NodeSchema, node));
}

export interface Translation {
  /** Names of the resources of a type; of EDS and RDS those that clusters and listeners refer to. */
  names(type: GeneratedType): string[];
  routes(name: string): RouteConfiguration;
  listener(name: string): Listener;
  /** All of it. */
  resources(): Resources;
  /** A resource as JSON, with its extensions unpacked. */
  json(type: GeneratedType, name: string): JsonValue;
  readonly omissions: readonly string[];
}

/** What a proxy is sent of a mesh. */
export function translate(mesh: Mesh, node: ProxyNode, cache = new ResourceCache()): Translation {
  const generation = { view: viewOf(mesh, node, null), node, cache };
  const resources = (type: GeneratedType, names: ReadonlySet<string>) =>
    generate(type, generation, { names, unanswered: new Set() });
  const all = (type: GeneratedType) => resources(type, new Set());
  const contentOfNamed = (type: GeneratedType, name: string): Uint8Array =>
    contentOf(resources(type, new Set([name])).get(name) ?? fail(`no ${type} ${name}`));
  const json = (type: GeneratedType, name: string): JsonValue => {
    const schema = SCHEMAS[type];
    return toJson(schema, fromBinary(schema, contentOfNamed(type, name)), { registry: PACKED_TYPES });
  };
  const routes = (name: string) => fromBinary(SCHEMAS.RDS, contentOfNamed('RDS', name));
  const listener = (name: string) => fromBinary(SCHEMAS.LDS, contentOfNamed('LDS', name));
  const names = (type: GeneratedType): string[] => {
    switch (type) {
      case 'EDS':
        return [...all('CDS').keys()].filter((name) => /"edsConfig"/.test(JSON.stringify(json('CDS', name))));
      case 'RDS': {
        const listeners = [...all('LDS').keys()].map((name) => JSON.stringify(json('LDS', name))).join();
        return [...new Set([...listeners.matchAll(/"routeConfigName":"([^"]+)"/g)].map(([, name = '']) => name))];
      }
      default:
        return [...all(type).keys()];
    }
  };
  return {
    json,
    routes,
    listener,
    names,
    resources: () => ({
      listeners: names('LDS').map(listener),
      routes: names('RDS').map(routes),
      clusters: names('CDS').map((name) => fromBinary(SCHEMAS.CDS, contentOfNamed('CDS', name))),
      endpoints: names('EDS').map((name) => fromBinary(SCHEMAS.EDS, contentOfNamed('EDS', name))),
    }),
    omissions: omissions(generation),
  };
}

function fail(message: string): never {
  throw new Error(message);
}
