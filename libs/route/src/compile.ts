import { FlotillaError, limit } from '@flotilla/runtime';
import { compileDomainTable, hostWithoutPort, pathOnly } from '@flotilla/match';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { inField, refuse } from '@flotilla/envoy';
import { compileHeaderEdits, type Surroundings } from '@flotilla/format';
import { compileMirrorPolicies } from './mirror-policies.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { RouteTable } from './route.ts';
import { type CompilePerFilterConfig, Scope } from './scope.ts';
import {
  compileVirtualHost,
  type CompiledVirtualHost,
  type ReadDataSource,
  type TableSettings,
} from './virtual-host.ts';

export interface RouteCompileOptions {
  /** Asked only when the configuration wants its clusters validated. */
  readonly hasCluster: (name: string) => boolean;
  /** Compiles one `typed_per_filter_config` entry; throws `invalid`. */
  readonly compilePerFilterConfig: CompilePerFilterConfig;
  /** The bytes of a data source, read now; null when it is not set. Throws `invalid`, naming `path`. */
  readonly readDataSource: ReadDataSource;
  readonly surroundings: Surroundings;
}

/** Envoy's default of `max_direct_response_body_size_bytes`. */
const DEFAULT_MAX_DIRECT_BODY_BYTES = limit({
  name: 'proxy.direct-response-bytes',
  what: 'body of a direct response (as Envoy)',
  default: 4096,
  unit: 'bytes',
  setting: '`max_direct_response_body_size_bytes`',
  past: 'the routes are refused',
});

/**
 * Compiles an Envoy `RouteConfiguration`. Throws `invalid` naming table, field path and reason for anything that
 * is malformed or cannot be honoured.
 */
export function compileRouteTable(proto: RouteConfiguration, options: RouteCompileOptions): RouteTable {
  try {
    return compileTable(proto, options);
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within(`route configuration "${proto.name}"`);
  }
}

function compileTable(proto: RouteConfiguration, options: RouteCompileOptions): RouteTable {
  const clusterNames = new Set<string>();
  const settings: TableSettings = {
    scope: Scope.root(proto.mostSpecificHeaderMutationsWins, options).inner(
      compileHeaderEdits(proto, '', options.surroundings),
      proto.typedPerFilterConfig,
      '',
    ),
    mirrors: compileMirrorPolicies(proto.requestMirrorPolicies, 'request_mirror_policies'),
    readDataSource: options.readDataSource,
    maxDirectBodyBytes: proto.maxDirectResponseBodySizeBytes ?? DEFAULT_MAX_DIRECT_BODY_BYTES,
    noteCluster(name, path) {
      if (proto.validateClusters === true && !options.hasCluster(name)) {
        refuse(path, `cluster "${name}" does not exist`);
      }
      clusterNames.add(name);
    },
  };
  const domains = domainsOf(proto, settings);
  const find = inField('virtual_hosts', () => compileDomainTable(domains));
  const { ignorePortInHostMatching, ignorePathParametersInPathMatching } = proto;
  const hostOf = ({ authority }: RoutableRequest): NamedVirtualHost | null =>
    find(ignorePortInHostMatching ? hostWithoutPort(authority) : authority);
  const pathOf = (request: RoutableRequest): string => {
    const path = pathOnly(request.path);
    return ignorePathParametersInPathMatching ? withoutParameters(path) : path;
  };
  return {
    name: proto.name,
    clusterNames,
    internalOnlyHeaders: proto.internalOnlyHeaders.map((name) => name.toLowerCase()),
    match(request, random) {
      const host = hostOf(request);
      return host === null ? null : host.routes.match(request, pathOf(request), random);
    },
    explain(request, random) {
      const host = hostOf(request);
      if (host === null) return { virtualHost: null, route: null, passedOver: [] };
      return { virtualHost: host.name, ...host.routes.explain(request, pathOf(request), random) };
    },
  };
}

interface NamedVirtualHost {
  readonly name: string;
  readonly routes: CompiledVirtualHost;
}

function domainsOf(proto: RouteConfiguration, settings: TableSettings): [string, NamedVirtualHost][] {
  const names = new Set<string>();
  return proto.virtualHosts.flatMap((virtualHost, index) => {
    const path = `virtual_hosts[${index}]`;
    if (names.has(virtualHost.name)) refuse(`${path}.name`, `"${virtualHost.name}" is given twice`);
    names.add(virtualHost.name);
    if (virtualHost.domains.length === 0) refuse(`${path}.domains`, 'is empty');
    const host = { name: virtualHost.name, routes: compileVirtualHost(virtualHost, settings, path) };
    return virtualHost.domains.map((domain): [string, NamedVirtualHost] => [domain, host]);
  });
}

/** Cuts the path at its first semicolon, as Envoy does for `ignore_path_parameters_in_path_matching`. */
function withoutParameters(path: string): string {
  const semicolon = path.indexOf(';');
  return semicolon === -1 ? path : path.slice(0, semicolon);
}
