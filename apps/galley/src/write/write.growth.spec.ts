import { growthOf } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { decodeDocuments } from '../decode/decode-documents.ts';
import { MeshSet } from '../set/mesh-set.ts';
import { planSync } from '../sources/plan-sync.ts';
import type { SourceState } from '../sources/source.ts';
import { reportOf } from './apply.ts';
import { judge } from './judge.ts';
import { planPuts } from './plan-puts.ts';

const many = (count: number, document: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => document(index)).join('');
const resource = (kind: string, name: string, spec: string, namespace = 'default'): string =>
  `{apiVersion: networking.istio.io/v1, kind: ${kind}, metadata: {name: ${name}, namespace: ${namespace}}, spec: ${spec}}\n---\n`;
const service = (name: string, to: string, more = ''): string =>
  resource('VirtualService', name, `{hosts: [${name}], http: [{route: [{destination: ${to}}]}]${more}}`);

const MESHES: readonly [what: string, text: (size: number) => string][] = [
  [
    'VirtualServices of one host',
    (size) =>
      many(size, (i) =>
        resource('VirtualService', `v${i}`, '{hosts: [a], http: [{route: [{destination: {host: a}}]}]}'),
      ),
  ],
  [
    'VirtualServices of one host that nobody sees together',
    (size) =>
      many(size, (i) =>
        resource(
          'VirtualService',
          `v${i}`,
          '{hosts: [a.b], exportTo: ["."], http: [{route: [{destination: {host: a.b}}]}]}',
          `n${i}`,
        ),
      ),
  ],
  [
    'VirtualServices of wildcards within each other',
    (size) =>
      many(size, (i) =>
        resource(
          'VirtualService',
          `v${i}`,
          `{hosts: ["*.n${i}.a.b", "*.b"], http: [{route: [{destination: {host: a.b}}]}]}`,
        ),
      ),
  ],
  [
    'VirtualServices and as many wildcard services',
    (size) =>
      many(
        size,
        (i) =>
          service(`v${i}`, `{host: x.n${i}.b}`) +
          resource(
            'ServiceEntry',
            `s${i}`,
            `{hosts: ["*.n${i}.b"], ports: [{name: http, number: 80, protocol: HTTP}]}`,
          ),
      ),
  ],
  [
    'subsets that one rule defines',
    (size) =>
      resource('DestinationRule', 'd', `{host: a, subsets: [${many(size, (i) => `{name: s${i}}, `)}]}`) +
      resource(
        'VirtualService',
        'v',
        `{hosts: [a], http: [{route: [${many(size, (i) => `{weight: 1, destination: {host: a, subset: s${i}}}, `)}]}]}`,
      ),
  ],
  [
    'subsets that no rule of the host defines',
    (size) =>
      many(
        size,
        (i) =>
          resource('DestinationRule', `d${i}`, `{host: a, subsets: [{name: s${i}}]}`) +
          service(`v${i}`, `{host: a, subset: missing${i}}`),
      ),
  ],
  [
    'subsets of hosts under wildcard rules',
    (size) =>
      many(
        size,
        (i) =>
          resource('DestinationRule', `d${i}`, `{host: "*.b", subsets: [{name: s${i}}]}`) +
          service(`v${i}`, `{host: x${i}.b, subset: missing}`),
      ),
  ],
  [
    'gateways and delegates that are missing',
    (size) =>
      many(size, (i) =>
        resource(
          'VirtualService',
          `v${i}`,
          `{hosts: [a${i}.b], gateways: [g${i}, mesh], http: [{delegate: {name: d${i}}}]}`,
        ),
      ),
  ],
  [
    'hosts of one VirtualService, merged from elsewhere',
    (size) =>
      `base: &b\n${many(size, (i) => `  f${i}: 1\n`)}  hosts: [${many(size, (i) => `h${i}.b, `)}]\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  <<: *b\n  http: [{route: [{destination: {host: a.b}}]}]\n`,
  ],
];

const FACTS = { owner: 'api', version: 1, nowMs: 0 };

describe('what a write costs', () => {
  it.each(MESHES)('is twice as much for twice as many %s', async (_, text) => {
    const growth = await growthOf(60, (size) => {
      const documents = [{ source: 'f.yaml', yaml: text(size) }];
      return () => {
        const decoded = decodeDocuments(documents, 'default');
        const set = new MeshSet();
        reportOf(decoded, set, true);
        const changes = planPuts(decoded.candidates, set, FACTS).flatMap(({ change }) => change ?? []);
        set.apply(changes);
        // Again, now that all of it is there, and then all of it goes.
        reportOf(decoded, set, true);
        const deletions = changes.flatMap((change) =>
          change.type === 'put' ? [{ type: 'delete' as const, key: change.entry.resource.key }] : [],
        );
        judge(deletions, set, { isWholeMesh: true, locators: new Map() });
        planSync(desiredOf(decoded), new Map(), new MeshSet(), FACTS);
        set.apply(deletions);
      };
    });
    expect(growth).toBeLessThan(3);
  });
});

function desiredOf(decoded: ReturnType<typeof decodeDocuments>): SourceState {
  const candidates = new Map(decoded.candidates.map((candidate) => [candidate.content.key.name, candidate]));
  return {
    candidates,
    refused: new Set(),
    unclear: new Set(),
    findings: decoded.findings,
    ignored: [],
    empty: new Set(),
  };
}
