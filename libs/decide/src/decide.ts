import type { Any } from '@bufbuild/protobuf/wkt';
import { refuse, unpackValid } from '@flotilla/envoy';
import { compileFilterChainMatch } from '@flotilla/route';
import type { ConnectionInfo } from '@flotilla/stream';
import type { Address } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import type { Filter, FilterChain } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { HttpInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import type { Decision } from './decision.ts';
import { type AskedConnection, type AskedRequest, type Draws, matchFactsOf } from './facts.ts';
import { type CompilePolicy, decideHttp } from './http.ts';
import type { Resources } from './resources.ts';
import { decideUpstream } from './upstream.ts';

export interface Question {
  readonly connection: AskedConnection;
  /** Null: of the connection alone. */
  readonly request: AskedRequest | null;
  /** Default: 0 each. */
  readonly draws?: Draws;
}

export interface DecideOptions {
  /** Default: no filter decides ahead. */
  readonly compilePolicy?: CompilePolicy;
}

const NOWHERE: Decision = { listener: null, filterChain: null, networkFilters: [], http: null, upstream: null };
const FIRST: Draws = { route: 0, cluster: 0 };

/**
 * Where a connection, and a request on it, would go, by the code that decides in the proxy. Nothing is opened, waited for
 * or changed. Throws `invalid` for resources that a proxy would refuse.
 */
export function decide(resources: Resources, question: Question, options: DecideOptions = {}): Decision {
  const { connection, request, draws = FIRST } = question;
  const listener = findListener(resources.listeners, connection);
  if (listener === null) return NOWHERE;
  const found = findChain(listener, connection, request);
  if (found === null) return { ...NOWHERE, listener: listener.name };
  const { name: filterChain, chain } = found;
  const station = { listener: listener.name, filterChain, networkFilters: chain.filters.map(({ name }) => name) };
  const last = configOf(chain.filters.at(-1));
  const manager = last === null ? undefined : unpackValid(last, HttpConnectionManagerSchema);
  if (manager !== undefined) {
    if (request === null) return { ...station, http: null, upstream: null };
    const compilePolicy = options.compilePolicy ?? (() => null);
    const info = connectionInfoOf(connection, listener.name, filterChain);
    const { http, goesTo } = decideHttp(manager, request, info, draws, resources, compilePolicy);
    const upstream = goesTo === null ? null : decideUpstream(goesTo.cluster, goesTo.metadataMatch, resources);
    return { ...station, http, upstream };
  }
  const cluster = last === null ? null : tcpCluster(last, draws.cluster);
  return { ...station, http: null, upstream: cluster === null ? null : decideUpstream(cluster, null, resources) };
}

/** The listener at the address, else at any address of the port: Envoy's order. */
function findListener(listeners: readonly Listener[], { destination }: AskedConnection): Listener | null {
  const any = destination.host.includes(':') ? '::' : '0.0.0.0';
  const at = (host: string): Listener | undefined =>
    listeners.find(({ address, additionalAddresses }) =>
      [address, ...additionalAddresses.map((more) => more.address)].some((each) => isAt(each, host, destination.port)),
    );
  return at(destination.host) ?? at(any) ?? null;
}

function isAt(address: Address | undefined, host: string, port: number): boolean {
  if (address?.address.case !== 'socketAddress') return false;
  const { address: own, portSpecifier } = address.address.value;
  return own === host && portSpecifier.case === 'portValue' && portSpecifier.value === port;
}

interface NamedChain {
  readonly name: string;
  readonly chain: FilterChain;
}

function findChain(listener: Listener, connection: AskedConnection, request: AskedRequest | null): NamedChain | null {
  const named = listener.filterChains.map((chain, index) => {
    const name = chain.name || `filter_chains[${index}]`;
    return { match: chain.filterChainMatch, name, chain: { name, chain } };
  });
  const facts = matchFactsOf(connection);
  const isSeen = request !== null && connection.tls === null && inspectsHttp(listener);
  const found = compileFilterChainMatch(named)(isSeen ? { ...facts, applicationProtocols: PLAINTEXT_HTTP } : facts);
  if (found !== null) return found;
  const { defaultFilterChain: chain } = listener;
  return chain === undefined ? null : { name: chain.name || 'default_filter_chain', chain };
}

/** What the HTTP inspector tells of a plaintext request. */
const PLAINTEXT_HTTP = ['http/1.1'];

/** Whether the listener tells plaintext HTTP from other bytes. */
function inspectsHttp({ listenerFilters }: Listener): boolean {
  return listenerFilters.some(
    ({ configType }) =>
      configType.case === 'typedConfig' && unpackValid(configType.value, HttpInspectorSchema) !== undefined,
  );
}

function configOf(filter: Filter | undefined): Any | null {
  return filter?.configType.case === 'typedConfig' ? filter.configType.value : null;
}

/** The cluster of a TCP proxy; null for another filter. */
function tcpCluster(config: Any, draw: number): string | null {
  const proxy = unpackValid(config, TcpProxySchema);
  if (proxy === undefined) return null;
  const { clusterSpecifier } = proxy;
  if (clusterSpecifier.case === 'cluster') return clusterSpecifier.value;
  if (clusterSpecifier.case !== 'weightedClusters') return refuse('tcp_proxy', 'names no cluster');
  const { clusters } = clusterSpecifier.value;
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  let left = draw * total;
  return clusters.find(({ weight }) => (left -= weight) < 0)?.name ?? null;
}

function connectionInfoOf(
  { source, destination, tls }: AskedConnection,
  listenerName: string,
  filterChainName: string,
): ConnectionInfo {
  const remoteAddress = `${source.host}:${source.port}`;
  const localAddress = `${destination.host}:${destination.port}`;
  return {
    id: 0,
    remoteAddress,
    localAddress,
    directRemoteAddress: remoteAddress,
    directLocalAddress: localAddress,
    listenerName,
    filterChainName,
    requestedServerName: tls?.serverName ?? null,
    alpn: tls?.alpn[0] ?? null,
    tls: tls === null ? null : { version: 'TLSv1.3', cipher: '', peer: null, own: null },
    clientCertificate: null,
    peerUriSan: null,
    localUriSan: null,
    filterState: null,
  };
}
