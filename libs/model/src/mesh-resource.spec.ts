import { describe, expect, it } from 'vitest';
import { KINDS } from './kinds.ts';
import type { KindEntry } from './kinds.ts';
import { decodeBody, isOfType, toMeshResource } from './mesh-resource.ts';
import { resourceFromWire, resourceToWire } from './resource.ts';
import type { Resource } from './resource.ts';

function resource(group: string, kind: string, body: Resource['body']): Resource {
  return {
    key: { group, kind, namespace: 'default', name: 'a' },
    apiVersion: `${group}/v1`,
    labels: { app: 'a' },
    annotations: {},
    body,
    origin: { source: 'f.yaml', line: 3, column: 1 },
    resourceVersion: 12,
    createdAtMs: 1_700_000_000_123,
  };
}

describe('toMeshResource', () => {
  it('decodes the spec and narrows by type', () => {
    const plain = resource('networking.istio.io', 'VirtualService', {
      spec: { hosts: ['a'], http: [{ timeout: '1m' }] },
    });
    const typed = toMeshResource(resourceToWire(plain));
    expect(typed).toMatchObject({
      type: 'VirtualService',
      key: plain.key,
      resourceVersion: 12,
      createdAtMs: 1_700_000_000_123,
    });
    if (typed === null || !isOfType(typed, 'VirtualService')) throw new Error('wrong type');
    expect(typed.spec.http[0]?.timeout?.seconds).toBe(60n);
  });

  it('reads Kubernetes facts', () => {
    const body = { spec: { selector: { app: 'a' }, ports: [{ port: 80, name: 'http', targetPort: 'web' }] } };
    const typed = toMeshResource(resourceToWire(resource('', 'Service', body)));
    expect(typed?.spec).toMatchObject({ type: 'ClusterIP', ports: [{ port: 80, targetPort: 'web', protocol: 'TCP' }] });
  });

  it('is null for a kind that means nothing to a mesh', () => {
    expect(toMeshResource(resourceToWire(resource('', 'ConfigMap', { data: {} })))).toBeNull();
  });

  it('throws for what galley cannot have accepted', () => {
    const plain = resource('networking.istio.io', 'VirtualService', { spec: { hosts: 'a' } });
    expect(() => toMeshResource(resourceToWire(plain))).toThrow(/VirtualService default\/a cannot be read: spec.hosts/);
  });

  it('survives the wire', () => {
    const plain = resource('', 'Service', { spec: { ports: [{ port: 80 }] } });
    expect(resourceFromWire(resourceToWire(plain))).toEqual(plain);
  });
});

describe('decodeBody', () => {
  it.each<[string, KindEntry, Resource['body'], string]>([
    ['fields beside spec', KINDS.VirtualService, { spec: {}, http: [] }, 'http'],
    ['a Service without a spec', KINDS.Service, {}, 'spec'],
    ['a Service without ports', KINDS.Service, { spec: { selector: {} } }, 'spec'],
    ['an unknown field of a Service', KINDS.Service, { spec: { port: [], ports: [{ port: 1 }] } }, 'spec/port'],
    [
      'two ports without names',
      KINDS.Service,
      { spec: { ports: [{ name: 'a', port: 1 }, { port: 2 }] } },
      'spec/ports/1',
    ],
    ['a Deployment without a template', KINDS.Deployment, { spec: {} }, 'spec/template'],
    ['a pod without a spec', KINDS.Pod, {}, 'spec'],
  ])('refuses %s', (_, entry, body, path) => {
    expect(decodeBody(entry, body).faults.map((fault) => fault.path.join('/'))).toEqual([path]);
  });

  it('reads a Deployment’s template', () => {
    const template = {
      metadata: { labels: { app: 'a' }, creationTimestamp: null },
      spec: {
        serviceAccountName: 'robot',
        containers: [{ name: 'a', image: 'a:1', ports: [{ containerPort: 9080 }] }],
      },
    };
    const decoded = decodeBody(KINDS.Deployment, {
      spec: { replicas: 2, selector: { matchLabels: { app: 'a' } }, template },
    });
    expect(decoded.ok ? decoded.value : null).toMatchObject({
      replicas: 2,
      template: {
        labels: { app: 'a' },
        pod: { serviceAccountName: 'robot', containers: [{ ports: [{ containerPort: 9080 }] }] },
      },
    });
  });
});
