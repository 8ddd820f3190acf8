import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { FilterChainMatchSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { describe, expect, it } from 'vitest';
import { compileFilterChainMatch, type ConnectionFacts } from './filter-chain.ts';

type Match = MessageInitShape<typeof FilterChainMatchSchema>;

const FACTS: ConnectionFacts = {
  destinationHost: '10.0.0.5',
  destinationPort: 80,
  sourceHost: '192.168.1.1',
  sourcePort: 4000,
  transport: 'raw_buffer',
  serverName: null,
  applicationProtocols: [],
};

function find(chains: Readonly<Record<string, Match>>, facts: Partial<ConnectionFacts>): string | null {
  const finder = compileFilterChainMatch(
    Object.entries(chains).map(([name, match]) => ({
      name,
      chain: name,
      match: create(FilterChainMatchSchema, match),
    })),
  );
  return finder({ ...FACTS, ...facts });
}

const range = (addressPrefix: string, prefixLen: number) => ({ addressPrefix, prefixLen });

describe('the filter chain of a connection', () => {
  const names = {
    exact: { serverNames: ['a.example.com'] },
    narrow: { serverNames: ['*.example.com'] },
    wide: { serverNames: ['*.com'] },
    any: {},
  };
  const ranges = {
    host: { prefixRanges: [range('10.0.0.5', 32)] },
    net: { prefixRanges: [range('10.0.0.0', 8)] },
    any: {},
  };
  const inbound = {
    mtls: { transportProtocol: 'tls', applicationProtocols: ['istio', 'istio-http/1.1'] },
    tls: { transportProtocol: 'tls' },
    plain: { transportProtocol: 'raw_buffer' },
  };

  it.each<[string, Readonly<Record<string, Match>>, Partial<ConnectionFacts>, string | null]>([
    ['by exact server name', names, { serverName: 'a.example.com' }, 'exact'],
    ['by the longest wildcard', names, { serverName: 'b.c.example.com' }, 'narrow'],
    ['by a shorter wildcard', names, { serverName: 'x.com' }, 'wide'],
    ['not by its own suffix', names, { serverName: 'example.com' }, 'wide'],
    ['without server name', names, {}, 'any'],
    ['by exact address', ranges, {}, 'host'],
    ['by the longest range', ranges, { destinationHost: '10.9.9.9' }, 'net'],
    ['by an address mapped into IPv6', ranges, { destinationHost: '::ffff:10.9.9.9' }, 'net'],
    ['outside of all ranges', ranges, { destinationHost: '11.0.0.1' }, 'any'],
    [
      'by the first offered protocol that is known',
      inbound,
      { transport: 'tls', applicationProtocols: ['x', 'istio'] },
      'mtls',
    ],
    ['by transport when no protocol is known', inbound, { transport: 'tls', applicationProtocols: ['h2'] }, 'tls'],
    ['as plain text', inbound, {}, 'plain'],
    [
      'by port before everything else',
      { port: { destinationPort: 80 }, name: { serverNames: ['a'] } },
      { serverName: 'a' },
      'port',
    ],
    [
      'without a way back once a criterion has decided',
      { port: { destinationPort: 80, serverNames: ['a'] }, any: {} },
      { serverName: 'b' },
      null,
    ],
    [
      'by source on this host',
      { same: { sourceType: 1 }, ext: { sourceType: 2 } },
      { sourceHost: '127.0.0.1' },
      'same',
    ],
    ['by source elsewhere', { same: { sourceType: 1 }, ext: { sourceType: 2 } }, {}, 'ext'],
    ['by source range', { near: { sourcePrefixRanges: [range('192.168.0.0', 16)] }, any: {} }, {}, 'near'],
    ['by source port', { port: { sourcePorts: [4000, 4001] }, any: {} }, {}, 'port'],
  ])('is found %s', (_name, chains, facts, wanted) => {
    expect(find(chains, facts)).toBe(wanted);
  });

  it.each<[string, Readonly<Record<string, Match>>]>([
    ['without any criterion', { a: {}, b: {} }],
    ['in one of several names', { a: { serverNames: ['x', 'y'] }, b: { serverNames: ['y', 'z'] } }],
    [
      'in a range that is written otherwise',
      { a: { prefixRanges: [range('10.1.2.3', 8)] }, b: { prefixRanges: [range('10.0.0.0', 8)] } },
    ],
  ])('must not be ambiguous: %s', (_name, chains) => {
    expect(() => find(chains, {})).toThrow(/"b" matches the same connections as "a"/);
  });

  it('refuses a wildcard inside of a name', () => {
    expect(() => find({ a: { serverNames: ['a.*.com'] } }, {})).toThrow(/a wildcard stands only for the first labels/);
  });
});
