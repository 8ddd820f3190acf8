import { createHash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { FlotillaError, limit } from '@flotilla/runtime';
import type { Address } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import { TrafficDirection } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  type FilterChain as FilterChainConfig,
  FilterChainSchema,
} from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { ProxyContext } from '../ports/context.ts';
import type { NeededExtension } from '../ports/needed-resources.ts';
import { inField, refuse } from '@flotilla/envoy';
import { compileFilterChainMatch, type RouteTable } from '@flotilla/route';
import type { CompiledListener, FilterChain, ListenerAddress, ListenerStats } from './compiled-listener.ts';
import { compileListenerFilters } from './listener-filters.ts';
import { compileNetworkFilters } from '../network/network-filters.ts';
import type { NetworkFilterScope, ListenerHooks } from '../ports/network-filter-scope.ts';
import { compileDownstreamTls } from './tls.ts';

const DEFAULT_BUFFER_LIMIT_BYTES = limit({
  name: 'proxy.buffered-body-bytes',
  what: 'body that is kept for a retry, a mirror or a filter that needs all of it (as Envoy)',
  default: 1_048_576,
  unit: 'bytes',
  setting: '`per_connection_buffer_limit_bytes`',
  past: 'no retry and no mirror; 413 or 500 where a filter needs it',
});

export type { CompiledListener } from './compiled-listener.ts';
export { openListenerManager, type ListenerManager } from './listener-manager.ts';

/**
 * Compiles an Envoy `Listener`. Throws `invalid` naming listener, field path and reason for anything that is
 * malformed or cannot be honoured; the configuration is then refused and the old one stays.
 */
export function compileListener(proto: Listener, ctx: ProxyContext, hooks: ListenerHooks): CompiledListener {
  try {
    return compile(proto, ctx, hooks);
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within(`listener "${proto.name}"`);
  }
}

function compile(proto: Listener, ctx: ProxyContext, hooks: ListenerHooks): CompiledListener {
  const addresses = [
    addressOf(proto.address, 'address'),
    ...proto.additionalAddresses.map((more, index) =>
      addressOf(more.address, `additional_addresses[${index}].address`),
    ),
  ];
  const [first] = addresses;
  const statName = proto.statPrefix || (first === undefined ? proto.name : `${first.host}_${first.port}`);
  const stats = listenerStats(ctx, `listener.${statName.replaceAll(':', '_')}.`);
  const listenerFilters = compileListenerFilters(proto, ctx.stats);
  const routeTables: RouteTable[] = [];
  const extensions = new Map<string, NeededExtension>();
  const scope: NetworkFilterScope = {
    ctx,
    hooks,
    bufferLimitBytes: proto.perConnectionBufferLimitBytes ?? DEFAULT_BUFFER_LIMIT_BYTES,
    isInbound: proto.trafficDirection === TrafficDirection.INBOUND,
    noteRouteTable: (table) => void routeTables.push(table),
    noteExtension: (extension, need) => void extensions.set(extension, need),
  };
  const named = proto.filterChains.map((chain, index) => ({
    match: chain.filterChainMatch,
    name: chain.name || `filter_chains[${index}]`,
    chain: inField(chain.name === '' ? `filter_chains[${index}]` : `filter chain "${chain.name}"`, () =>
      compileChain(chain, scope, stats.prefix),
    ),
  }));
  const fallback =
    proto.defaultFilterChain === undefined
      ? null
      : compileChainIn('default_filter_chain', proto.defaultFilterChain, scope, stats.prefix);
  if (named.length === 0 && fallback === null) refuse('filter_chains', 'is empty');
  const find = compileFilterChainMatch(named);
  const chains = [...named.map(({ chain }) => chain), ...(fallback === null ? [] : [fallback])];
  return {
    name: proto.name,
    addresses,
    bindsToPort: proto.bindToPort !== false && proto.deprecatedV1?.bindToPort !== false,
    ignoresGlobalLimit: proto.ignoreGlobalConnLimit,
    bypassesOverloadManager: proto.bypassOverloadManager,
    handsOver: proto.useOriginalDst === true,
    readsOriginalDestination: listenerFilters.readsOriginalDestination || proto.useOriginalDst === true,
    isOutbound: proto.trafficDirection === TrafficDirection.OUTBOUND,
    sniffOf: listenerFilters.sniffOf,
    proxyProtocol: listenerFilters.proxyProtocol,
    findChain: fallback === null ? find : (facts) => find(facts) ?? fallback,
    chains,
    backlog: proto.tcpBacklogSize ?? null,
    accessLogs: inField('access_log', () => hooks.compileAccessLogs(proto.accessLog)),
    neededRoutes: new Map(chains.flatMap((chain) => [...chain.filter.neededRoutes])),
    neededExtensions: extensions,
    inlineRouteConfigs: routeTables,
    clusterNames: new Set(chains.flatMap((chain) => chain.filter.clusterNames)),
    secretNames: new Set(chains.flatMap((chain) => chain.tls?.secretNames ?? [])),
    stats,
  };
}

function addressOf(address: Address | undefined, path: string): ListenerAddress {
  if (address?.address.case !== 'socketAddress') {
    return refuse(path, address === undefined ? 'is missing' : 'must be a socket_address');
  }
  const { address: host, portSpecifier, ipv4Compat } = address.address.value;
  if (portSpecifier.case !== 'portValue') refuse(`${path}.socket_address.port_value`, 'is missing');
  if (portSpecifier.value > 65_535) refuse(`${path}.socket_address.port_value`, `${portSpecifier.value} is no port`);
  return { host, port: portSpecifier.value, isIpv4Too: ipv4Compat };
}

function compileChainIn(
  path: string,
  chain: FilterChainConfig,
  scope: NetworkFilterScope,
  statPrefix: string,
): FilterChain {
  return inField(path, () => compileChain(chain, scope, statPrefix));
}

function compileChain(chain: FilterChainConfig, scope: NetworkFilterScope, statPrefix: string): FilterChain {
  const timeout = chain.transportSocketConnectTimeout;
  const tls = compileDownstreamTls(
    chain.transportSocket,
    scope.ctx,
    statPrefix,
    timeout === undefined ? null : durationMs(timeout),
  );
  return {
    name: chain.name,
    fingerprint: createHash('sha256').update(toBinary(FilterChainSchema, chain)).digest('base64'),
    tls,
    filter: compileNetworkFilters(chain.filters, scope),
  };
}

function listenerStats({ stats }: ProxyContext, prefix: string): ListenerStats {
  return {
    prefix,
    connections: stats.counter(`${prefix}downstream_cx_total`),
    active: stats.gauge(`${prefix}downstream_cx_active`),
    destroyed: stats.counter(`${prefix}downstream_cx_destroy`),
    noFilterChainMatch: stats.counter(`${prefix}no_filter_chain_match`),
    preConnectionTimeout: stats.counter(`${prefix}downstream_pre_cx_timeout`),
    globalOverflow: stats.counter(`${prefix}downstream_global_cx_overflow`),
  };
}
