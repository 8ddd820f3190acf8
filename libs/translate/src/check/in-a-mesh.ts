import { create } from '@bufbuild/protobuf';
import { type AnyMeshResource, isOfType } from '@flotilla/model';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { Config } from '../mesh/config.ts';
import { applyUpdate, emptyMesh } from '../mesh/mesh.ts';
import { parseProxyNode, type ProxyNode } from '../mesh/proxy-node.ts';
import { viewOf } from '../mesh/view.ts';
import { ResourceCache } from '../translate/cache.ts';
import type { EncodedResource } from '../translate/encoded.ts';
import { generate } from '../translate/generate.ts';
import { CHECK_SETTINGS } from './settings.ts';

/** What a proxy gets that the resource concerns, in a mesh of nothing else. */
export function* meshSamples(resource: AnyMeshResource): Generator<EncodedResource> {
  for (const part of partsOf(resource)) {
    const change = { key: part.key, resource: part };
    const mesh = applyUpdate(emptyMesh(CHECK_SETTINGS), { version: 1, isSnapshot: true, changes: [change] });
    for (const node of nodesFor(part)) {
      const generation = { view: viewOf(mesh, node, null), node, cache: new ResourceCache() };
      const samples = (type: 'CDS' | 'LDS', names: readonly string[] = []) =>
        generate(type, generation, { names: new Set(names), unanswered: new Set() }).values();
      yield* samples('CDS');
      yield* samples('LDS');
      // Endpoints of the others stand in their clusters, which samples hold already.
      const services = generation.view.scope.targets.services.filter(({ resolution }) => resolution === 'eds');
      const names = services.flatMap(({ hostname, ports }) =>
        ports.map(({ number }) => `outbound|${number}||${hostname}`),
      );
      yield* generate('EDS', generation, { names: new Set(names), unanswered: new Set() }).values();
    }
  }
}

/**
 * A ServiceEntry becomes a cluster for each of its hosts and ports, with all its endpoints: here each of them comes up
 * in one, so that the cost stays linear.
 */
function partsOf(resource: AnyMeshResource): readonly AnyMeshResource[] {
  if (!isOfType(resource, 'ServiceEntry')) return [resource];
  const { spec } = resource;
  const part = (fields: Partial<Config<'ServiceEntry'>['spec']>) => ({ ...resource, spec: { ...spec, ...fields } });
  const [host, port, endpoint] = [spec.hosts.slice(0, 1), spec.ports.slice(0, 1), spec.endpoints.slice(0, 1)];
  return [
    part({ ports: port, endpoints: endpoint }),
    part({ hosts: host, endpoints: endpoint }),
    part({ hosts: host, ports: port }),
  ];
}

function nodesFor(resource: AnyMeshResource): readonly ProxyNode[] {
  const { namespace } = resource.key;
  if (isOfType(resource, 'Gateway')) return [nodeOf('router', namespace, resource.spec.selector, true)];
  const labels = isOfType(resource, 'Sidecar') ? (resource.spec.workloadSelector?.labels ?? {}) : {};
  return [nodeOf('sidecar', namespace, labels, false), nodeOf('sidecar', namespace, labels, true)];
}

function nodeOf(
  type: 'sidecar' | 'router',
  namespace: string,
  labels: Readonly<Record<string, string>>,
  isExplicit: boolean,
): ProxyNode {
  return parseProxyNode(
    create(NodeSchema, {
      id: `${type}~127.0.0.1~check.${namespace}~${namespace}.svc.cluster.local`,
      metadata: {
        NAMESPACE: namespace,
        LABELS: { ...labels },
        INTERCEPTION_MODE: isExplicit ? 'NONE' : 'REDIRECT',
        ...(isExplicit ? { HTTP_PROXY_PORT: '15080' } : {}),
      },
    }),
  );
}
