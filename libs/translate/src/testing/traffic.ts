import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { TEST_SURROUNDINGS } from '@flotilla/format/testing';
import { HeaderList } from '@flotilla/http-codec';
import { compileFilterChainMatch, compileRouteTable, type ConnectionFacts, type Route } from '@flotilla/route';
import type { FilterChain } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';

/** How finely the shares of weighted clusters are told, in percent. */
const STEP = 1;

/**
 * Where requests end up by a route configuration, as the proxy's own compile step reads it. A request is written as
 * `GET http://host/path`; the answer is the clusters with their shares and what is rewritten, or the answer that the proxy
 * gives itself. Throws what the proxy would refuse the configuration with.
 */
export function trafficOf(configuration: RouteConfiguration): {
  ends(request: string, headers?: Readonly<Record<string, string>>): string;
} {
  const table = compileRouteTable(configuration, {
    hasCluster: () => true,
    compilePerFilterConfig: (_filter, config) => config,
    readDataSource: (source) =>
      source?.specifier.case === 'inlineString' ? new TextEncoder().encode(source.specifier.value) : null,
    surroundings: TEST_SURROUNDINGS,
  });
  return {
    ends(request, headers = {}) {
      const of = () => requestOf(request, headers);
      const route = table.match(of(), 0);
      return route === null ? 'no route' : endOf(route, of);
    },
  };
}

type Request = ReturnType<typeof requestOf>;

function requestOf(text: string, headers: Readonly<Record<string, string>>) {
  const [, method = '', scheme = '', authority = '', path = '/'] = /^(\S+) (\w+):\/\/([^/]+)(\/.*)?$/.exec(text) ?? [];
  if (method === '') throw new Error(`not a request: ${text}`);
  return { method, scheme, authority, path, headers: HeaderList.of(headers), clientCertificate: null };
}

function endOf({ action }: Route, of: () => Request): string {
  switch (action.kind) {
    case 'direct':
      return String(action.status);
    case 'redirect':
      return `${action.status} ${action.location(of())}`;
    case 'forward': {
      const shares = new Map<string, number>();
      for (let percent = 0; percent < 100; percent += STEP) {
        const { cluster } = action.pick(of(), percent / 100);
        shares.set(cluster, (shares.get(cluster) ?? 0) + STEP);
      }
      const clusters = [...shares].map(([name, share]) => (share === 100 ? name : `${share} % ${name}`)).join(', ');
      const rewritten = of();
      action.rewrite?.(rewritten);
      const isSame = rewritten.path === of().path && rewritten.authority === of().authority;
      return isSame ? clusters : `${clusters} as ${rewritten.authority}${rewritten.path}`;
    }
  }
}

const ANYBODY: ConnectionFacts = {
  destinationHost: '192.0.2.1',
  destinationPort: 80,
  sourceHost: '198.51.100.1',
  sourcePort: 40_000,
  transport: 'raw_buffer',
  serverName: null,
  applicationProtocols: [],
};

/**
 * Which filter chain of a listener takes a connection, as the proxy finds it, and where that sends it: `http` with the
 * routes by name, or the clusters of a TCP proxy. `closed` where none does.
 */
export function connectionTo(listener: Listener, facts: Partial<ConnectionFacts>): string {
  const find = compileFilterChainMatch(
    listener.filterChains.map((chain) => ({ name: chain.name, chain, match: chain.filterChainMatch })),
  );
  const chain = find({ ...ANYBODY, ...facts }) ?? listener.defaultFilterChain;
  return chain === undefined ? 'closed' : describe(chain);
}

function describe(chain: FilterChain): string {
  const tls = chain.transportSocket === undefined ? '' : 'tls, ';
  const last = chain.filters.at(-1)?.configType;
  const config = last?.case === 'typedConfig' ? last.value : undefined;
  const manager = config === undefined ? undefined : anyUnpack(config, HttpConnectionManagerSchema);
  if (manager?.routeSpecifier.case === 'rds') return `${tls}http by ${manager.routeSpecifier.value.routeConfigName}`;
  if (manager?.routeSpecifier.case === 'routeConfig') return `${tls}http by ${manager.routeSpecifier.value.name}`;
  const proxy = config === undefined ? undefined : anyUnpack(config, TcpProxySchema);
  switch (proxy?.clusterSpecifier.case) {
    case 'cluster':
      return `${tls}bytes to ${proxy.clusterSpecifier.value}`;
    case 'weightedClusters':
      return `${tls}bytes to ${proxy.clusterSpecifier.value.clusters.map(({ name, weight }) => `${weight} ${name}`).join(', ')}`;
    default:
      return `${tls}nothing`;
  }
}
