import { growthOf } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { decodeDocuments } from './decode-documents.ts';

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('');
const head = (kind: string): string => `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: {name: a}\n`;
const virtualService = `${head('VirtualService')}spec:\n  hosts: [a]\n  http:\n`;

const TEXTS: readonly [what: string, text: (size: number) => string][] = [
  ['unknown fields of a spec', (size) => `${head('VirtualService')}spec:\n${lines(size, (i) => `  field${i}: 1\n`)}`],
  ['unknown fields of a document', (size) => `${head('VirtualService')}${lines(size, (i) => `field${i}: 1\n`)}`],
  [
    'unknown fields of metadata',
    (size) =>
      `kind: VirtualService\napiVersion: networking.istio.io/v1\nmetadata:\n  name: a\n${lines(size, (i) => `  field${i}: 1\n`)}`,
  ],
  [
    'bad labels',
    (size) =>
      `kind: VirtualService\napiVersion: networking.istio.io/v1\nmetadata:\n  name: a\n  labels:\n${lines(size, (i) => `    "bad ${i}": 1\n`)}`,
  ],
  ['bad routes', (size) => `${virtualService}${lines(size, () => `  - match: [{ur: {prefix: /}}]\n    nothing: 1\n`)}`],
  ['routes that say nothing', (size) => `${virtualService}${lines(size, () => `  - match: [{uri: {prefix: /}}]\n`)}`],
  [
    'good routes',
    (size) =>
      `${virtualService}${lines(size, (i) => `  - route: [{destination: {host: h${i}, subset: s${i}}}]\n    match: [{uri: {exact: /${i}}}]\n`)}`,
  ],
  [
    'headers of a match',
    (size) =>
      `${virtualService}  - route: [{destination: {host: a}}]\n    match:\n    - headers:\n${lines(size, (i) => `        x-${i}: {exact: a}\n`)}`,
  ],
  [
    'hosts written twice',
    (size) =>
      `${head('VirtualService')}spec:\n  http: [{route: [{destination: {host: a}}]}]\n  hosts:\n${lines(size, () => `  - a\n`)}`,
  ],
  [
    'subsets',
    (size) =>
      `${head('DestinationRule')}spec:\n  host: a\n  subsets:\n${lines(size, (i) => `  - {name: s${i % 7}, labels: {v: "${i}"}}\n`)}`,
  ],
  [
    'ports and endpoints',
    (size) =>
      `${head('ServiceEntry')}spec:\n  hosts: [a.b]\n  ports:\n${lines(size, (i) => `  - {name: p${i}, number: ${i}, protocol: HTTP}\n`)}  endpoints:\n${lines(size, (i) => `  - {address: 1.2.3.4, ports: {q${i}: 1}}\n`)}`,
  ],
  [
    'servers of a gateway',
    (size) =>
      `${head('Gateway')}spec:\n  servers:\n${lines(size, (i) => `  - {port: {number: ${(i % 9) + 1}, name: p, protocol: HTTP}, hosts: [a.b, "*"]}\n`)}`,
  ],
  [
    'hosts of a Sidecar',
    (size) => `${head('Sidecar')}spec:\n  egress:\n${lines(size, () => `  - {hosts: ["./a", "~/*"]}\n`)}`,
  ],
  [
    'locality settings',
    (size) =>
      `${head('DestinationRule')}spec:\n  host: a\n  trafficPolicy:\n    loadBalancer:\n      localityLbSetting:\n        distribute:\n${lines(size, (i) => `        - {from: r${i}/*, to: {r${i}/z: 50, "r${i}/y": 50}}\n`)}`,
  ],
  [
    'documents of kinds nobody knows',
    (size) =>
      lines(size, (i) => `apiVersion: networking.istio.io/v1\nkind: VirtualServic${i}\nmetadata: {name: a}\n---\n`),
  ],
  [
    'documents that mean nothing',
    (size) => lines(size, (i) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a${i}}\n---\n`),
  ],
  [
    'one resource many times',
    (size) => lines(size, () => `${virtualService}  - route: [{destination: {host: a}}]\n---\n`),
  ],
  [
    'a List',
    (size) =>
      `apiVersion: v1\nkind: List\nitems:\n${lines(size, (i) => `- {apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g${i}}, spec: {x: 1}}\n`)}`,
  ],
  ['keys written twice', (size) => lines(size, () => `a: 1\n`)],
  [
    'merged maps',
    (size) => `a: &a\n${lines(size, (i) => `  field${i}: 1\n`)}${head('VirtualService')}spec:\n  <<: *a\n`,
  ],
  [
    'lists merged from elsewhere',
    (size) =>
      `base: &b\n${lines(size, (i) => `  f${i}: 1\n`)}  hosts:\n${lines(size, (i) => `  - "h ${i}"\n`)}${head('VirtualService')}spec:\n  <<: *b\n`,
  ],
  ['brackets that are never closed', (size) => lines(size, () => '[\n')],
  ['what is no YAML', (size) => lines(size, () => 'a: b: c\n')],
  ['comments', (size) => lines(size, () => '# nothing\n')],
  ['a folded text', (size) => `a: >\n${lines(size, () => '  word word\n')}`],
  ['a plain text of many lines', (size) => `a: word\n${lines(size, () => '  word\n')}`],
  ['a quoted text with escapes', (size) => `a: "${lines(size, () => '\\n\\\n ')}"\n`],
  ['anchors', (size) => lines(size, (i) => `k${i}: &a${i} [1]\nl${i}: *a${i}\n`)],
  ['a flow list', (size) => `a: [${lines(size, (i) => `${i}, `)}]\n`],
  ['a flow map', (size) => `a: {${lines(size, (i) => `b${i}: c, `)}}\n`],
  ['blank lines', (size) => `a:\n${lines(size, () => '\n')}  b: 1\n`],
  ['question marks', (size) => lines(size, () => '? a\n: b\n')],
];

describe('decodeDocuments', () => {
  it.each(TEXTS)('costs twice as much for twice as many %s', async (_, text) => {
    const growth = await growthOf(130, (size) => {
      const documents = [{ source: 'f.yaml', yaml: text(size) }];
      return () => decodeDocuments(documents, 'default');
    });
    expect(growth).toBeLessThan(3);
  });
});
