import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { formatPath } from '../decode/fault.ts';
import { allKinds } from '../kinds.ts';
import type { IstioKind } from '../kinds.ts';
import { checkSupport, ISTIO_SUPPORT, supportOf } from './istio-kinds.ts';

/** Every field of a message that holds no further fields, written as the tables write paths. */
function leavesOf(schema: DescMessage, place: string, ancestors: readonly DescMessage[] = []): readonly string[] {
  return schema.fields.flatMap((field) => {
    const path = `${place === '' ? '' : `${place}.`}${field.jsonName}${suffixOf(field)}`;
    const inner = field.message;
    const isOpaque = inner === undefined || inner.typeName.startsWith('google.') || ancestors.includes(inner);
    return isOpaque ? [path] : leavesOf(inner, path, [...ancestors, schema]);
  });
}

function suffixOf(field: DescField): string {
  return field.fieldKind === 'list' ? '[]' : field.fieldKind === 'map' ? '{}' : '';
}

const honouredKinds = allKinds().flatMap((entry) =>
  entry.family === 'istio' && !ISTIO_SUPPORT[entry.kind].refused ? [entry] : [],
);

describe('the support table', () => {
  it.each(honouredKinds.map((entry) => [entry.kind, entry.schema] as const))(
    'speaks for every field of %s',
    (kind, schema) => {
      expect(leavesOf(schema, '').filter((path) => supportOf(kind, path) === null)).toEqual([]);
    },
  );

  it.each(honouredKinds.map((entry) => [entry.kind, entry.schema] as const))(
    'names nothing that %s does not have',
    (kind, schema) => {
      const support = ISTIO_SUPPORT[kind];
      const bare = leavesOf(schema, '').map((leaf) => leaf.replaceAll(/\[\]|\{\}/g, ''));
      const lines = support.refused ? [] : support.lines.map((line) => line.path.replaceAll(/\[\]|\{\}/g, ''));
      expect(lines.filter((line) => !bare.some((leaf) => leaf === line || leaf.startsWith(`${line}.`)))).toEqual([]);
    },
  );
});

const check = (kind: IstioKind, spec: unknown): readonly string[] =>
  checkSupport(kind, spec).map((fault) => `${fault.code} ${formatPath(fault.path)}: ${fault.message} | ${fault.hint}`);

describe('checkSupport', () => {
  it('accepts what is honoured', () => {
    const route = { route: [{ destination: { host: 'a' }, weight: 1 }], retries: { attempts: 1 }, timeout: '1s' };
    expect(check('VirtualService', { hosts: ['a'], http: [route] })).toEqual([]);
  });

  it.each<[string, IstioKind, unknown, string]>([
    [
      'a field',
      'VirtualService',
      { tls: [{}] },
      'FLT0002 spec.tls: this field is not supported yet | Remove it. If it were ignored, TLS connections would not be routed by server name.',
    ],
    [
      'a field within an honoured one',
      'VirtualService',
      { http: [{ fault: { delay: { exponentialDelay: '1s' } } }] },
      'FLT0002 spec.http[0].fault.delay.exponentialDelay: this field is not supported yet | Remove it. If it were ignored, requests would not be delayed.',
    ],
    [
      'a policy of a subset’s port',
      'DestinationRule',
      { subsets: [{ trafficPolicy: { portLevelSettings: [{ tls: { caCrl: 'a' } }] } }] },
      'FLT0002 spec.subsets[0].trafficPolicy.portLevelSettings[0].tls.caCrl: this field is not supported yet | Remove it. If it were ignored, revoked certificates would be accepted.',
    ],
    [
      'a value',
      'ServiceEntry',
      { resolution: 'DYNAMIC_DNS' },
      'FLT0002 spec.resolution: "DYNAMIC_DNS" is not supported yet | Remove it. If it were ignored, requests for names under the wildcard would fail.',
    ],
    [
      'a kind',
      'AuthorizationPolicy',
      {},
      'FLT0002 kind: AuthorizationPolicy is not enforced yet | Remove it. If it were ignored, traffic would be let through that should be refused.',
    ],
  ])('refuses %s with what would happen', (_, kind, spec, expected) => {
    expect(check(kind, spec)).toEqual([expected]);
  });

  it('passes over fields written with their zero value', () => {
    expect(check('VirtualService', { tls: [], http: [{ retries: { retryRemoteLocalities: false } }] })).toEqual([]);
  });
});
