import { describe, expect, it } from 'vitest';
import { decodeDocuments } from '../decode/decode-documents.ts';
import { MeshSet } from '../set/mesh-set.ts';
import { planPuts } from '../write/plan-puts.ts';
import { affectedBy, analyseAll } from './analyse.ts';
import { defineAnalyser } from './analyser.ts';
import { DESTINATION_SERVICES } from './readings.ts';

const FACTS = { owner: 'api', version: 0, nowMs: 0 };

function documents(...yaml: readonly string[]) {
  const { candidates, findings } = decodeDocuments([{ source: 'mesh.yaml', yaml: yaml.join('\n---\n') }], 'default');
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  return candidates;
}

function setOf(...yaml: readonly string[]): MeshSet {
  const set = new MeshSet();
  set.apply(planPuts(documents(...yaml), set, FACTS).flatMap(({ change }) => change ?? []));
  return set;
}

const istio = (kind: string, name: string, spec: string): string =>
  `{apiVersion: networking.istio.io/v1, kind: ${kind}, metadata: {name: ${name}}, spec: ${spec}}`;
const service = (name: string): string =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {ports: [{port: 80}]}}`;
const GATEWAY = istio('Gateway', 'g', '{servers: [{hosts: ["*"], port: {number: 80, name: http, protocol: HTTP}}]}');
const route = (name: string, rule: string, more = ''): string =>
  istio('VirtualService', name, `{hosts: [${name}], ${more} http: [${rule}]}`);
const to = (host: string, subset = ''): string => `{route: [{destination: {host: ${host}, subset: "${subset}"}}]}`;

const said = (set: MeshSet): readonly string[] =>
  analyseAll({ set, isWholeMesh: true }).map(({ finding: { code, field, message } }) => `${code} ${field} ${message}`);

describe('analysis of the set', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    [
      'a host that is no service',
      [route('a', to('b'))],
      ['IST0101 spec.http[0].route[0].destination.host there is no service "b" (b.default.svc.cluster.local)'],
    ],
    [
      'a subset that nobody defines',
      [service('b'), route('a', to('b', 'v9')), istio('DestinationRule', 'b', '{host: b, subsets: [{name: v1}]}')],
      [
        'IST0101 spec.http[0].route[0].destination.subset no DestinationRule for b.default.svc.cluster.local defines the subset "v9"',
      ],
    ],
    [
      'a gateway that is not there, under any of its names',
      [service('b'), GATEWAY, route('a', to('b'), 'gateways: [g, g.default, other/x],')],
      ['IST0101 spec.gateways[2] there is no Gateway "other/x"'],
    ],
    [
      'a delegate that has hosts, and one that is not there',
      [service('b'), route('c', to('b')), route('a', '{delegate: {name: c}}, {delegate: {name: d}}')],
      [
        'IST0101 spec.http[0].delegate the VirtualService "default/c" has hosts',
        'IST0101 spec.http[1].delegate there is no VirtualService "default/d"',
      ],
    ],
    [
      'two that route for one host, however it is written',
      [service('b'), istio('VirtualService', 'x', `{hosts: [Shop.io], http: [${to('b')}]}`), route('shop.io', to('b'))],
      [
        'IST0109 spec.hosts[0] VirtualService default/shop.io is older and routes for shop.io too, so that this one has no effect',
      ],
    ],
  ])('tells of %s', (_, yaml, findings) => {
    expect(said(setOf(...yaml))).toEqual(findings);
  });
});

describe('what a change makes worth looking at again', () => {
  const rules = [
    route('a', to('b')),
    route('c', to('other.example')),
    route('d', '{delegate: {name: leaf}}', 'gateways: [g],'),
  ];
  it.each<[string, string, readonly string[]]>([
    ['a Service: who sends to it', service('b'), ['a']],
    [
      'a ServiceEntry with a wildcard: who sends to a host of it',
      istio('ServiceEntry', 's', '{hosts: ["*.example"], ports: [{number: 80, name: http, protocol: HTTP}]}'),
      ['c'],
    ],
    [
      'a DestinationRule: who sends to its host',
      istio('DestinationRule', 'r', '{host: b, subsets: [{name: v1}]}'),
      ['a'],
    ],
    ['a Gateway: who binds to it', GATEWAY, ['d']],
    ['a delegate: who delegates to it', istio('VirtualService', 'leaf', `{http: [${to('b')}]}`), ['d']],
    [
      'a VirtualService: who routes for its host too',
      istio('VirtualService', 'e', `{hosts: [C], http: [${to('b')}]}`),
      ['c'],
    ],
    ['a kind that nobody reads: nothing', istio('Sidecar', 's', '{egress: [{hosts: ["*/*"]}]}'), []],
  ])('%s', (_, yaml, names) => {
    const set = setOf(...rules);
    const changes = planPuts(documents(yaml), set, FACTS).flatMap(({ change }) => change ?? []);
    const own = new Set(documents(yaml).map(({ content }) => content.key.name));
    set.apply(changes);
    const keys = [...affectedBy(changes, set, [])].map((key) => key.split('/').at(-1) ?? '');
    expect(keys.filter((name) => !own.has(name))).toEqual(names);
  });
});

it('an analyser is given what it reads, for the resources of its kind', () => {
  const judged: string[] = [];
  const analyser = defineAnalyser({
    kind: 'VirtualService',
    reads: { services: DESTINATION_SERVICES },
    needsWholeMesh: false,
    analyse: ({ key }, found) => {
      judged.push(key.name);
      expect(Object.keys(found)).toEqual(['services']);
      expect(found.services.covers('b.default.svc.cluster.local')).toBe(true);
      return [];
    },
  });
  const set = setOf(service('b'), route('a', to('b')));
  for (const { typed } of set.entries()) analyser.analyse(typed, { set, isWholeMesh: true });
  expect(judged).toEqual(['a']);
});
