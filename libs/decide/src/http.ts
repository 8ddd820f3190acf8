import type { Any } from '@bufbuild/protobuf/wkt';
import { refuse, unpackValid } from '@flotilla/envoy';
import type { Surroundings } from '@flotilla/format';
import { HeaderList } from '@flotilla/http-codec';
import type { Policy } from '@flotilla/policy';
import { compileRouteTable, type MetadataMatch, type RoutableRequest, type Route } from '@flotilla/route';
import { type ConnectionInfo, StreamInfo } from '@flotilla/stream';
import type { DataSource } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { FilterConfigSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type {
  HttpConnectionManager,
  HttpFilter,
} from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { FilterDecision, HttpDecision, RouteDecision } from './decision.ts';
import type { AskedRequest, Draws } from './facts.ts';
import type { Resources } from './resources.ts';

/** Compiles the policy of a filter; null: its kind decides nothing ahead. */
export type CompilePolicy = (typeName: string, config: Any) => Policy | null;

export interface HttpAnswer {
  readonly http: HttpDecision;
  /** Null: the request goes to no cluster. */
  readonly goesTo: { readonly cluster: string; readonly metadataMatch: MetadataMatch | null } | null;
}

const SURROUNDINGS: Surroundings = { hostName: '', environment: () => null, now: () => 0, uuid: () => '' };

/** What a connection manager makes of a request. Throws `invalid` for routes that a proxy would refuse. */
export function decideHttp(
  manager: HttpConnectionManager,
  asked: AskedRequest,
  connection: ConnectionInfo,
  draws: Draws,
  resources: Resources,
  compilePolicy: CompilePolicy,
): HttpAnswer {
  const config = routesOf(manager, resources);
  const request = routableOf(asked, connection);
  const info = recordOf(request, connection);
  if (config === null) {
    const http = { routeConfig: nameOfRoutes(manager), virtualHost: null, route: null, passedOver: [] };
    return { http: { ...http, filters: filtersOf(manager, null, info, compilePolicy) }, goesTo: null };
  }
  const table = compileRouteTable(config, {
    hasCluster: (name) => resources.clusters.some((cluster) => cluster.name === name),
    compilePerFilterConfig: (_name, any) => switchOf(any),
    readDataSource: readInline,
    surroundings: SURROUNDINGS,
  });
  const { virtualHost, route, passedOver } = table.explain(request, draws.route);
  const choice = route?.action.kind === 'forward' ? route.action.pick(request, draws.cluster) : null;
  const perFilter = choice?.perFilter ?? route?.perFilter ?? null;
  const filters = filtersOf(manager, perFilter, info, compilePolicy);
  const decided = route === null ? null : routeDecision(route, request, choice?.authority ?? null);
  return {
    http: { routeConfig: config.name, virtualHost, route: decided, passedOver, filters },
    goesTo: choice === null ? null : { cluster: choice.cluster, metadataMatch: choice.metadataMatch },
  };
}

function routesOf({ routeSpecifier }: HttpConnectionManager, { routes }: Resources): RouteConfiguration | null {
  switch (routeSpecifier.case) {
    case 'routeConfig':
      return routeSpecifier.value;
    case 'rds': {
      const { routeConfigName } = routeSpecifier.value;
      return routes.find(({ name }) => name === routeConfigName) ?? null;
    }
    default:
      return refuse('route_specifier', 'must be rds or route_config');
  }
}

function nameOfRoutes({ routeSpecifier }: HttpConnectionManager): string {
  return routeSpecifier.case === 'rds' ? routeSpecifier.value.routeConfigName : '';
}

function routableOf({ method, path, authority, headers }: AskedRequest, connection: ConnectionInfo): RoutableRequest {
  const scheme = connection.tls === null ? 'http' : 'https';
  const list = new HeaderList();
  for (const [name, value] of headers) list.append(name, value);
  return { method, path, authority, scheme, headers: list, clientCertificate: connection.clientCertificate };
}

function recordOf(request: RoutableRequest, connection: ConnectionInfo): StreamInfo {
  const info = new StreamInfo(connection, 0, 0);
  info.protocol = 'HTTP/1.1';
  info.method = request.method;
  info.originalPath = info.path = request.path;
  info.authority = request.authority;
  info.scheme = request.scheme;
  info.requestHeaders = request.headers;
  return info;
}

function routeDecision({ name, action }: Route, request: RoutableRequest, authority: string | null): RouteDecision {
  switch (action.kind) {
    case 'direct':
      return { kind: 'direct', name, status: action.status, body: TEXT.decode(action.body ?? new Uint8Array()) };
    case 'redirect':
      return { kind: 'redirect', name, status: action.status, location: action.location(request) };
    case 'forward': {
      const { retry, timeoutMs, idleTimeoutMs } = action;
      action.rewrite?.(request);
      return {
        kind: 'forward',
        name,
        path: request.path,
        authority: authority ?? request.authority,
        timeoutMs,
        idleTimeoutMs,
        retries: retry === null ? null : { attempts: retry.attempts, perTryTimeoutMs: retry.perTryTimeoutMs },
        mirrors: action.mirrors.map(({ cluster }) => cluster),
      };
    }
  }
}

const TEXT = new TextDecoder();

function filtersOf(
  { httpFilters }: HttpConnectionManager,
  perFilter: ReadonlyMap<string, unknown> | null,
  info: StreamInfo,
  compilePolicy: CompilePolicy,
): FilterDecision[] {
  return httpFilters.map((filter) => {
    const typeName = typeNameOf(filter);
    const ofRoute = perFilter?.get(filter.name);
    const isOff = ofRoute === 'off' || (ofRoute === undefined && filter.disabled);
    if (isOff) return { name: filter.name, typeName, verdict: 'off' };
    const policy = filter.configType.case === 'typedConfig' ? compilePolicy(typeName, filter.configType.value) : null;
    return { name: filter.name, typeName, verdict: policy === null ? 'runs' : policy.decide(info) };
  });
}

function typeNameOf({ configType }: HttpFilter): string {
  if (configType.case !== 'typedConfig') return '';
  return configType.value.typeUrl.slice(configType.value.typeUrl.lastIndexOf('/') + 1);
}

/** Whether an entry of `typed_per_filter_config` switches the filter off. */
function switchOf(config: Any): 'off' | 'on' {
  return unpackValid(config, FilterConfigSchema)?.disabled === true ? 'off' : 'on';
}

function readInline(source: DataSource | undefined, path: string): Uint8Array | null {
  switch (source?.specifier.case) {
    case undefined:
      return null;
    case 'inlineString':
      return new TextEncoder().encode(source.specifier.value);
    case 'inlineBytes':
      return source.specifier.value;
    default:
      return refuse(path, "is read on the proxy's machine, which is not known here");
  }
}
