import { addressBits } from '@flotilla/match';
import type { CidrRange } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import {
  type FilterChainMatch,
  FilterChainMatch_ConnectionSourceType as SourceType,
} from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { refuse } from '@flotilla/envoy';

/** What a connection is matched by. */
export interface ConnectionFacts {
  readonly destinationHost: string;
  readonly destinationPort: number;
  readonly sourceHost: string;
  readonly sourcePort: number;
  readonly transport: string;
  readonly serverName: string | null;
  readonly applicationProtocols: readonly string[];
}

/** Finds the chain of a connection, null for none. */
export type FilterChainFinder<C> = (facts: ConnectionFacts) => C | null;

/**
 * One criterion: how a match names the values it accepts, and which keys a connection is looked up by, the most
 * specific first. The first key that is in the table wins and there is no way back (Envoy's order).
 */
interface Criterion {
  keysOfMatch(match: FilterChainMatch, path: string): readonly string[];
  /** `known` are the keys of the table at this place. */
  keysOfConnection(facts: ConnectionFacts, known: KnownKeys): Iterable<string>;
}

interface KnownKeys {
  /** CIDR keys, the longest prefix first; empty for other criteria. */
  readonly ranges: readonly Range[];
}

interface Range {
  readonly key: string;
  readonly bits: Uint8Array;
  readonly prefixLength: number;
}

const ANY = '';

const CRITERIA: readonly Criterion[] = [
  {
    keysOfMatch: (match) => [match.destinationPort === undefined ? ANY : String(match.destinationPort)],
    keysOfConnection: (facts) => [String(facts.destinationPort), ANY],
  },
  {
    keysOfMatch: (match, path) => rangeKeys(match.prefixRanges, `${path}.prefix_ranges`),
    keysOfConnection: (facts, known) => keysOfAddress(facts.destinationHost, known),
  },
  {
    keysOfMatch: (match, path) => serverNameKeys(match.serverNames, `${path}.server_names`),
    keysOfConnection: (facts) => keysOfServerName(facts.serverName),
  },
  {
    keysOfMatch: (match) => [match.transportProtocol],
    keysOfConnection: (facts) => [facts.transport, ANY],
  },
  {
    keysOfMatch: (match) => (match.applicationProtocols.length === 0 ? [ANY] : match.applicationProtocols),
    keysOfConnection: (facts) => [...facts.applicationProtocols, ANY],
  },
  {
    keysOfMatch: (match, path) => rangeKeys(match.directSourcePrefixRanges, `${path}.direct_source_prefix_ranges`),
    keysOfConnection: (facts, known) => keysOfAddress(facts.sourceHost, known),
  },
  {
    keysOfMatch: (match) => [sourceTypeKey(match.sourceType)],
    keysOfConnection: (facts) => [isSameHost(facts) ? 'same' : 'external', ANY],
  },
  {
    keysOfMatch: (match, path) => rangeKeys(match.sourcePrefixRanges, `${path}.source_prefix_ranges`),
    keysOfConnection: (facts, known) => keysOfAddress(facts.sourceHost, known),
  },
  {
    keysOfMatch: (match) => (match.sourcePorts.length === 0 ? [ANY] : match.sourcePorts.map(String)),
    keysOfConnection: (facts) => [String(facts.sourcePort), ANY],
  },
];

type Table<C> = { readonly entries: Map<string, Table<C> | Leaf<C>>; readonly ranges: Range[] };
interface Leaf<C> {
  readonly chain: C;
  readonly name: string;
}

/** Builds the look-up. Throws `invalid` when two chains have the same match. */
export function compileFilterChainMatch<C>(
  chains: readonly { readonly match: FilterChainMatch | undefined; readonly name: string; readonly chain: C }[],
): FilterChainFinder<C> {
  const root: Table<C> = { entries: new Map(), ranges: [] };
  chains.forEach(({ match, name, chain }, index) => {
    const path = `filter_chains[${index}].filter_chain_match`;
    const keys = CRITERIA.map((criterion) => (match === undefined ? [ANY] : criterion.keysOfMatch(match, path)));
    insert(root, keys, 0, { chain, name }, path);
  });
  sortRanges(root, 0);
  return (facts) => find(root, facts, 0);
}

function insert<C>(table: Table<C>, keys: readonly (readonly string[])[], depth: number, leaf: Leaf<C>, path: string) {
  for (const key of keys[depth] ?? []) {
    const known = table.entries.get(key);
    if (depth === CRITERIA.length - 1) {
      if (known !== undefined) {
        const other = isLeaf(known) ? known.name : '';
        refuse(path, `"${leaf.name}" matches the same connections as "${other}"`);
      }
      table.entries.set(key, leaf);
      continue;
    }
    let next = known;
    if (next === undefined) {
      next = { entries: new Map(), ranges: [] };
      table.entries.set(key, next);
    }
    if (!isLeaf(next)) insert(next, keys, depth + 1, leaf, path);
  }
}

function find<C>(table: Table<C>, facts: ConnectionFacts, depth: number): C | null {
  const criterion = CRITERIA[depth];
  if (criterion === undefined) return null;
  for (const key of criterion.keysOfConnection(facts, table)) {
    const next = table.entries.get(key);
    if (next !== undefined) return isLeaf(next) ? next.chain : find(next, facts, depth + 1);
  }
  return null;
}

function isLeaf<C>(entry: Table<C> | Leaf<C>): entry is Leaf<C> {
  return 'chain' in entry;
}

function sortRanges<C>(table: Table<C>, depth: number): void {
  for (const [key, entry] of table.entries) {
    const bits = key.includes('/') ? addressBits(key.slice(0, key.indexOf('/'))) : null;
    if (bits !== null) table.ranges.push({ key, bits, prefixLength: Number(key.slice(key.indexOf('/') + 1)) });
    if (!isLeaf(entry)) sortRanges(entry, depth + 1);
  }
  table.ranges.sort((a, b) => b.prefixLength - a.prefixLength);
}

function rangeKeys(ranges: readonly CidrRange[], path: string): string[] {
  if (ranges.length === 0) return [ANY];
  return ranges.map((range, index) => {
    const bits = addressBits(range.addressPrefix);
    const length = range.prefixLen ?? 0;
    if (bits === null || length > bits.length * 8) refuse(`${path}[${index}]`, 'is not an address range');
    return `${formatBits(masked(bits, length))}/${length}`;
  });
}

function* keysOfAddress(host: string, known: KnownKeys): Iterable<string> {
  if (known.ranges.length > 0) {
    const bits = addressBits(host);
    for (const range of known.ranges) {
      if (bits?.length === range.bits.length && isInRange(bits, range)) yield range.key;
    }
  }
  yield ANY;
}

function isInRange(bits: Uint8Array, range: Range): boolean {
  return masked(bits, range.prefixLength).every((byte, index) => byte === range.bits[index]);
}

function masked(bits: Uint8Array, prefixLength: number): Uint8Array {
  return bits.map((byte, index) => {
    const kept = Math.max(0, Math.min(8, prefixLength - index * 8));
    return byte & ((0xff00 >> kept) & 0xff);
  });
}

function formatBits(bits: Uint8Array): string {
  if (bits.length === 4) return bits.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bits[index * 2] ?? 0) << 8) | (bits[index * 2 + 1] ?? 0)).toString(16),
  );
  return groups.join(':');
}

function serverNameKeys(names: readonly string[], path: string): string[] {
  if (names.length === 0) return [ANY];
  return names.map((name, index) => {
    const lower = name.toLowerCase();
    // `*.example.com` is kept as `.example.com`; `*` alone stands for any name.
    if (lower === '*') return ANY;
    if (lower.startsWith('*.')) return lower.slice(1);
    if (lower.includes('*')) refuse(`${path}[${index}]`, 'a wildcard stands only for the first labels, as in *.a.com');
    return lower;
  });
}

function* keysOfServerName(serverName: string | null): Iterable<string> {
  if (serverName !== null && serverName !== '') {
    yield serverName;
    for (let dot = serverName.indexOf('.', 1); dot !== -1; dot = serverName.indexOf('.', dot + 1)) {
      yield serverName.slice(dot);
    }
  }
  yield ANY;
}

function sourceTypeKey(type: SourceType): string {
  if (type === SourceType.SAME_IP_OR_LOOPBACK) return 'same';
  return type === SourceType.EXTERNAL ? 'external' : ANY;
}

function isSameHost(facts: ConnectionFacts): boolean {
  const { sourceHost } = facts;
  return sourceHost === facts.destinationHost || sourceHost === '::1' || /^(?:::ffff:)?127\./.test(sourceHost);
}
