import { describe, expect, it } from 'vitest';
import { describeKey, formatFinding } from '@flotilla/model';
import { decodeDocuments, decodeKeys } from './decode-documents.ts';

const decode = (yaml: string): ReturnType<typeof decodeDocuments> =>
  decodeDocuments([{ source: 'f.yaml', yaml }], 'default');
const faultsOf = (yaml: string): readonly string[] => decode(yaml).findings.map(formatFinding);

const HEAD = ['apiVersion: networking.istio.io/v1', 'kind: VirtualService', 'metadata:', '  name: a'];
const ROUTE = ['  - route:', '    - destination:', '        host: b'];
const virtualService = (...spec: readonly string[]): string => [...HEAD, 'spec:', ...spec].join('\n');

describe('decodeDocuments', () => {
  it('reads a document with all that is needed to serve it', () => {
    const { candidates, findings } = decode(virtualService('  hosts: [b]', '  http:', ...ROUTE));
    expect(findings).toEqual([]);
    expect(candidates[0]?.content).toEqual({
      key: { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'default', name: 'a' },
      apiVersion: 'networking.istio.io/v1',
      labels: {},
      annotations: {},
      body: { spec: { hosts: ['b'], http: [{ route: [{ destination: { host: 'b' } }] }] } },
      origin: { source: 'f.yaml', line: 1, column: 1 },
    });
  });

  it.each(['v1', 'v1beta1', 'v1alpha3'])('reads version %s alike', (version) => {
    const text = virtualService('  hosts: [b]', '  http:', ...ROUTE).replace('/v1', `/${version}`);
    expect(decode(text).candidates[0]?.spec).toMatchObject({ hosts: ['b'] });
  });

  it.each<[behaviour: string, http: readonly string[], expected: readonly string[]]>([
    [
      'a value in another map than the unreadable field',
      [
        '  - timeout: 5',
        '    fault: {delay: {percentage: {value: 101}, fixedDelay: 5s}}',
        '    route: [{destination: {host: b}}]',
      ],
      ['spec.http[0].timeout', 'spec.http[0].fault.delay.percentage.value'],
    ],
    [
      'a weight beside weights that cannot be read',
      [
        '  - route: [{destination: {host: b}, weight: 0}, {destination: {host: c}, weight: 0}]',
        '  - route: [{destination: {host: b}, weight: -1}, {destination: {host: c}, weight: 4294967295}]',
      ],
      ['spec.http[1].route[1].weight', 'spec.http[0].route', 'spec.http[1].route[0].weight'],
    ],
    [
      'nothing that only seems to be missing, empty or contradictory',
      [
        '  - name: a',
        '    route: [{destination: {hosst: b}, weight: x}]',
        '  - name: a',
        '    rout: []',
        '    redirect: {uri: 1}',
      ],
      [
        'spec.http[0].route[0].destination.hosst',
        'spec.http[0].route[0].weight',
        'spec.http[1].rout',
        'spec.http[1].redirect.uri',
      ],
    ],
    [
      'nothing of a list that has an unreadable entry',
      [
        '  - route: [b, {destination: {host: b}, weight: -1}]',
        '  - retries: {attempts: -1}',
        '    redirect: {uri: /x}',
      ],
      ['spec.http[0].route[0]', 'spec.http[1].retries.attempts'],
    ],
  ])('finds beside fields that cannot be read: %s', (_, http, expected) => {
    const { findings, candidates } = decode(virtualService('  hosts: [b]', '  http:', ...http));
    expect(findings.map(({ field }) => field)).toEqual(expected);
    expect(candidates).toEqual([]);
  });

  it('does not take a field that cannot be read for one that says otherwise', () => {
    const head = 'apiVersion: networking.istio.io/v1\nmetadata: {name: a}\n';
    const gateway = `${head}kind: Gateway\nspec: {servers: [{hosts: ["*"], port: {number: 443, name: a, protocol: 1}, tls: {mode: SIMPLE, privateKey: k}}]}`;
    const entry = `${head}kind: ServiceEntry\nspec: {hosts: [b.c], resolution: STATC, addresses: [10.0.0.0/8], ports: [{number: 80, name: a}], endpoints: [{address: 10.0.0.1}]}`;
    const routes = `${head}kind: VirtualService\nspec: {hosts: ["*"], gateways: [1], http: [{route: [{destination: {host: b}}]}]}`;
    expect(decode(gateway).findings.map(({ field }) => field)).toEqual(['spec.servers[0].port.protocol']);
    expect(decode(entry).findings.map(({ field }) => field)).toEqual(['spec.resolution']);
    expect(decode(routes).findings.map(({ field }) => field)).toEqual(['spec.gateways[0]']);
  });

  it('leaves out metadata that the system writes, and the status', () => {
    const text = [
      'apiVersion: v1',
      'kind: ServiceAccount',
      'metadata: {name: a, namespace: n, uid: x, labels: {app: a}, creationTimestamp: null}',
      'secrets: []',
      'status: {x: 1}',
    ];
    expect(decode(text.join('\n')).candidates[0]?.content).toMatchObject({
      key: { group: '', kind: 'ServiceAccount', namespace: 'n', name: 'a' },
      labels: { app: 'a' },
      body: { secrets: [] },
    });
  });

  it.each<[behaviour: string, text: string, expected: readonly string[]]>([
    [
      'YAML that is none',
      'a: [1\n',
      [
        'f.yaml:2:1: error FLT0001: this is not YAML: flow sequence in block collection must be sufficiently indented and end with a ]. Check the indentation of this line and of the one before it.',
      ],
    ],
    [
      'a repeated key',
      virtualService('  hosts: [b]', '  hosts: [c]'),
      ['f.yaml:7:3: error FLT0001: the key "hosts" is written twice in one map'],
    ],
    ['a document that is a list', '- a\n', ['f.yaml:1:1: error IST0106: a document must be a map, but is a list']],
    [
      'neither apiVersion nor kind',
      'metadata: {name: a}\n',
      [
        'f.yaml:1:1: error IST0106: apiVersion: "apiVersion" is missing',
        'f.yaml:1:1: error IST0106: kind: "kind" is missing',
      ],
    ],
    [
      'a misspelt kind',
      'apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}\n',
      [
        'f.yaml:2:7: error FLT0003: kind: unknown kind VirtualServce in networking.istio.io/v1. Did you mean "VirtualService"?',
      ],
    ],
    [
      'a kind of another group',
      'apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n',
      ['f.yaml:2:7: error FLT0003: kind: unknown kind Deployment in v1. Deployment belongs to apps/v1.'],
    ],
    [
      'an unknown version',
      'apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a}\n',
      [
        'f.yaml:1:13: error FLT0003: apiVersion: Gateway has no version networking.istio.io/v2. Served: networking.istio.io/v1, networking.istio.io/v1beta1, networking.istio.io/v1alpha3.',
      ],
    ],
    [
      'no metadata',
      'apiVersion: v1\nkind: Namespace\n',
      ['f.yaml:1:1: error IST0106: metadata: "metadata" is missing'],
    ],
    [
      'no name',
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  labels: {}\n',
      ['f.yaml:3:1: error IST0106: metadata.name: "name" is missing'],
    ],
    [
      'a name that is none',
      'apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: My_App\n',
      [
        'f.yaml:4:9: error IST0106: ServiceAccount default/My_App: metadata.name: "My_App" is not a valid name (DNS-1123). Use lower-case letters, digits and dashes, beginning and ending with a letter or digit.',
      ],
    ],
    [
      'a misspelt field of metadata',
      'apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  lables: {}\n',
      [
        'f.yaml:5:3: error IST0106: ServiceAccount default/a: metadata.lables: unknown field "lables". Did you mean "labels"?',
      ],
    ],
    [
      'a label that is a number',
      'apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  labels:\n    version: 1.10\n',
      [
        'f.yaml:6:14: error IST0106: ServiceAccount default/a: metadata.labels.version: must be a text, but is the number 1.1. Put it in quotes: "1.1".',
      ],
    ],
    [
      'an unknown field',
      virtualService('  hosts: [b]', '  http:', ...ROUTE, '    timout: 1s'),
      [
        'f.yaml:11:5: error IST0106: VirtualService default/a: spec.http[0].timout: unknown field "timout". Did you mean "timeout"?',
      ],
    ],
    [
      'a field beside spec',
      [...HEAD, 'hosts: [b]'].join('\n'),
      ['f.yaml:5:1: error IST0106: VirtualService default/a: hosts: unknown field "hosts". Fields go under spec.'],
    ],
    [
      'a wrong type',
      virtualService('  hosts: [b]', '  http:', ...ROUTE, '      weight: ninety'),
      [
        'f.yaml:11:15: error IST0106: VirtualService default/a: spec.http[0].route[0].weight: must be a whole number, but is the text "ninety"',
      ],
    ],
    [
      'a bad duration',
      virtualService('  hosts: [b]', '  http:', ...ROUTE, '    timeout: 5 seconds'),
      [
        'f.yaml:11:14: error IST0106: VirtualService default/a: spec.http[0].timeout: "5 seconds" is not a duration. Write a number with a unit, such as 250ms, 7s or 1h30m.',
      ],
    ],
    [
      'a bad name of an enum',
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a}\nspec:\n  mtls:\n    mode: strict\n',
      [
        'f.yaml:6:11: error IST0106: PeerAuthentication default/a: spec.mtls.mode: unknown value "strict". Allowed: UNSET, DISABLE, PERMISSIVE, STRICT.',
      ],
    ],
    [
      'a field that is not supported yet',
      virtualService('  hosts: [b]', '  http:', ...ROUTE, '    fault: {delay: {exponentialDelay: 1s}}'),
      [
        'f.yaml:11:21: error FLT0002: VirtualService default/a: spec.http[0].fault.delay.exponentialDelay: this field is not supported yet. Remove it. If it were ignored, requests would not be delayed.',
      ],
    ],
    [
      'a kind that is not enforced yet',
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\n',
      [
        'f.yaml:2:7: error FLT0002: AuthorizationPolicy default/a: kind: AuthorizationPolicy is not enforced yet. Remove it. If it were ignored, traffic would be let through that should be refused.',
      ],
    ],
    [
      'a route of the Gateway API',
      'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\n',
      [
        'f.yaml:2:7: error FLT0002: kind: HTTPRoute: the Gateway API is not supported yet. Write it as Gateway and VirtualService of networking.istio.io. If it were ignored, its traffic would not be routed.',
      ],
    ],
    [
      'semantics',
      virtualService('  hosts: [b]', '  http:', ...ROUTE, '    timeout: 0s'),
      ['f.yaml:11:14: error IST0106: VirtualService default/a: spec.http[0].timeout: must be at least 1ms'],
    ],
    [
      'a resource that is written twice',
      'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n',
      [
        'f.yaml:7:18: error FLT0004: ServiceAccount default/a: metadata.name: ServiceAccount "a" is written before, at f.yaml:1:1. Rename one of them, or remove it.',
      ],
    ],
    [
      'a namespace for what is in none',
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n',
      ['f.yaml:3:21: error IST0106: Namespace a: metadata.namespace: a Namespace is in no namespace. Remove it.'],
    ],
  ])('refuses %s', (_, text, expected) => {
    expect(faultsOf(text)).toEqual(expected);
    expect(decode(text).candidates.length).toBeLessThan(2);
  });

  it('reports all faults of all documents at once, and reads the good ones', () => {
    const bad = virtualService(
      '  host: b',
      '  http:',
      ...ROUTE,
      '    timeout: x',
      '    fault: {delay: {exponentialDelay: 1s}}',
    );
    const good = virtualService('  hosts: [b]', '  http:', ...ROUTE).replace('name: a', 'name: good');
    const { findings, candidates, refused, isComplete } = decode(`${bad}\n---\n${good}\n---\nkind: x\n`);
    expect(findings.map((finding) => finding.field)).toEqual([
      'spec.host',
      'spec.http[0].timeout',
      'spec.http[0].fault.delay.exponentialDelay',
      'apiVersion',
    ]);
    expect(candidates.map(({ content }) => content.key.name)).toEqual(['good']);
    expect(refused.map((key) => key.name)).toEqual(['a']);
    expect(isComplete).toBe(false);
  });

  it('names what means nothing to a mesh', () => {
    const text = [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}',
      'apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a, namespace: n}',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}',
      'apiVersion: example.com/v1\nkind: Anything\nmetadata: {name: BAD}',
    ];
    expect(decode(text.join('\n---\n'))).toMatchObject({
      findings: [],
      ignored: [
        'v1 ConfigMap default/settings',
        'autoscaling/v2 HorizontalPodAutoscaler n/a',
        'rbac.authorization.k8s.io/v1 ClusterRole reader',
        'example.com/v1 Anything default/BAD',
      ],
    });
  });

  it('opens lists, with positions in the list', () => {
    const text =
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: B}\n';
    const { candidates, findings } = decode(text);
    expect(candidates.map(({ content }) => content.key.name)).toEqual(['a']);
    expect(findings.map(formatFinding)[0]).toMatch(/^f\.yaml:9:20: error IST0106: Namespace B: metadata\.name: /);
  });
});

describe('what is told of a name that is too long', () => {
  const faults = Array.from({ length: 200 }, (_, at) => `  field${at}: 1\n`).join('');

  it.each([
    ['name', `name: ${'a'.repeat(200_000)}`],
    ['namespace', `name: a, namespace: ${'a'.repeat(200_000)}`],
  ])('%s: is no longer than other texts', (_what, metadata) => {
    const text = `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {${metadata}}\nspec:\n${faults}`;
    const { findings } = decode(text);
    expect(findings.length).toBeGreaterThan(100);
    expect(findings.map(formatFinding).join('').length).toBeLessThan(1.5 * text.length);
  });
});

describe('decodeKeys', () => {
  it('reads the keys whatever the specs are', () => {
    const text = `${virtualService('  nonsense: 1')}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n`;
    const { keys, findings } = decodeKeys([{ source: 'f.yaml', yaml: text }], 'n');
    expect(keys.map(({ key }) => describeKey(key))).toEqual(['VirtualService n/a']);
    expect(findings).toEqual([]);
  });

  it('reports what has no key', () => {
    expect(decodeKeys([{ source: 'f.yaml', yaml: 'kind: x' }], 'n').findings).toHaveLength(1);
  });
});
