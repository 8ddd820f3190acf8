import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { allKinds, FAULT_CODES } from '@flotilla/model';
import { decodeDocuments } from './decode-documents.ts';

const codes: readonly string[] = Object.values(FAULT_CODES);

/** Decoding anything ends with candidates and well-formed findings, and never with an exception. */
function decodeAnything(yaml: string): void {
  const { candidates, findings, refused, isComplete } = decodeDocuments([{ source: 'fuzz', yaml }], 'default');
  const lines = yaml.split('\n').length + 1;
  for (const finding of findings) {
    expect(codes).toContain(finding.code);
    expect(finding.message).not.toBe('');
    expect(finding.origin.line).toBeGreaterThanOrEqual(1);
    expect(finding.origin.line).toBeLessThanOrEqual(lines);
    expect(finding.origin.column).toBeGreaterThanOrEqual(1);
  }
  const hasErrors = findings.some((finding) => finding.severity === 'error');
  expect(hasErrors).toBe(refused.length > 0 || !isComplete);
  for (const { content } of candidates) expect(content.key.name).not.toBe('');
}

const names = fc.constantFrom(
  'hosts', 'http', 'route', 'destination', 'host', 'subset', 'weight', 'match', 'uri', 'prefix', 'regex', 'timeout',
  'spec', 'metadata', 'name', 'labels', 'servers', 'port', 'number', 'tls', 'mode', 'trafficPolicy', 'subsets', 'ports',
  'endpoints', 'selector', 'egress', '<<', '__proto__', 'constructor', '8080',
); // prettier-ignore
const scalars = fc.oneof(
  fc.constantFrom('7s', '*', 'a.b', '[', '0', 'STRICT', 'default/a', '-1', '1.5', 'SIMPLE', 'x'.repeat(300)),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: 'binary' }),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    scalars,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof({ weight: 9, arbitrary: names }, { weight: 1, arbitrary: fc.string() }), tie('tree'), {
      maxKeys: 6,
    }),
  ),
}));
const documents = fc.record(
  {
    apiVersion: fc.constantFrom(
      ...new Set(
        allKinds().flatMap(({ group, versions }) => versions.map((v) => (group === '' ? v : `${group}/${v}`))),
      ),
    ),
    kind: fc.constantFrom(...allKinds().map(({ kind }) => kind)),
    metadata: fc.oneof(fc.constant({ name: 'a' }), tree),
    spec: tree,
  },
  { requiredKeys: ['apiVersion', 'kind'] },
);

describe('decoding', () => {
  it('survives any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), decodeAnything), { numRuns: 500 });
  });

  it('survives text made of YAML’s own signs', () => {
    const signs = fc.constantFrom('- ', ': ', '? ', '\n', '  ', '{', '}', '[', ']', '&a ', '*a', '!!x ', '|\n', '>', '"', "'", '#', '---\n', 'a', '\t', '<<', '%'); // prettier-ignore
    fc.assert(fc.property(fc.array(signs, { maxLength: 60 }).map((parts) => parts.join('')), decodeAnything), { numRuns: 1000 }); // prettier-ignore
  });

  it('survives documents with arbitrary trees in them', () => {
    fc.assert(
      fc.property(documents, (document) => decodeAnything(stringify(document))),
      { numRuns: 1000 },
    );
  });

  it('survives a valid document with a piece cut out', () => {
    const text = [
      'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: &m\n  name: a\nspec:\n  hosts: ["*"]\n',
      '  gateways: [g]\n  http:\n  - match:\n    - uri: {regex: "/a.*"}\n    route: &r\n    - destination: {host: b}\n',
      '      weight: 10\n  - route: *r\n    timeout: 1.5s\n',
    ].join('');
    const cut = fc.tuple(fc.nat(text.length), fc.nat(30)).map(([at, n]) => text.slice(0, at) + text.slice(at + n));
    fc.assert(fc.property(cut, decodeAnything), { numRuns: 500 });
  });
});
