import type { DataSource } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  VirtualHost_TlsRequirementType as TlsRequirement,
  type Route as RouteProto,
  type VirtualHost,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { compileRateLimitRules } from './rate-limit-actions.ts';
import { compileForward, compileHedging, type ForwardDefaults } from './forward-action.ts';
import { refuse } from '@flotilla/envoy';
import { compileHeaderEdits } from '@flotilla/format';
import { compileMirrorPolicies } from './mirror-policies.ts';
import { compileRedirect, HTTPS_REDIRECT } from './redirect-action.ts';
import { compileMatch, type CompiledMatch } from './request-match.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { RouteList, type RouteEntry } from './route-list.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { DirectAction, MirrorPolicy, Route, RouteAnswer, RouteRateLimits } from './route.ts';
import type { Scope } from './scope.ts';

export type ReadDataSource = (source: DataSource | undefined, path: string) => Uint8Array | null;

/** What the table hands to its virtual hosts. */
export interface TableSettings {
  readonly scope: Scope;
  readonly mirrors: readonly MirrorPolicy[];
  readonly readDataSource: ReadDataSource;
  readonly maxDirectBodyBytes: number;
  /** Takes every cluster name that a route can choose. */
  readonly noteCluster: (name: string, path: string) => void;
}

/** A `VirtualHost`, compiled. */
export interface CompiledVirtualHost {
  /** `path` is the request's without query. */
  match(request: RoutableRequest, path: string, random: number): Route | null;
  explain(request: RoutableRequest, path: string, random: number): RouteAnswer;
}

/** Compiles one virtual host. Throws `invalid`, naming the field. */
export function compileVirtualHost(proto: VirtualHost, table: TableSettings, path: string): CompiledVirtualHost {
  const scope = table.scope.inner(
    compileHeaderEdits(proto, `${path}.`, table.scope.surroundings),
    proto.typedPerFilterConfig,
    path,
  );
  const mirrors = compileMirrorPolicies(proto.requestMirrorPolicies, `${path}.request_mirror_policies`);
  const defaults: ForwardDefaults = {
    retry: compileRetryPolicy(proto.retryPolicy, `${path}.retry_policy`),
    hedges: compileHedging(proto.hedgePolicy),
    mirrors: mirrors.length > 0 ? mirrors : table.mirrors,
  };
  for (const mirror of defaults.mirrors) table.noteCluster(mirror.cluster, path);
  const entries = proto.routes.map((route, index) =>
    compileRoute(route, proto, { ...table, scope }, defaults, `${path}.routes[${index}]`),
  );
  const routes = new RouteList(entries);
  if (proto.requireTls === TlsRequirement.NONE) return routes;
  return requireTls(routes, httpsRedirectRoute(proto), proto.requireTls === TlsRequirement.EXTERNAL_ONLY);
}

function compileRoute(
  proto: RouteProto,
  host: VirtualHost,
  table: TableSettings,
  defaults: ForwardDefaults,
  path: string,
): RouteEntry {
  const match = compileMatch(proto.match, `${path}.match`);
  const scope = table.scope.inner(
    compileHeaderEdits(proto, `${path}.`, table.scope.surroundings),
    proto.typedPerFilterConfig,
    path,
  );
  const action = compileAction(proto, match.path, { ...table, scope }, defaults, path);
  const route: Route = {
    name: proto.name,
    virtualHostName: host.name,
    metadata: proto.metadata === undefined ? null : proto.metadata.filterMetadata,
    action,
    request: scope.edits.request,
    response: scope.edits.response,
    perFilter: scope.perFilter,
    rateLimits: compileRateLimits(proto, host, path),
    attemptCountInRequest: host.includeRequestAttemptCount,
    attemptCountInResponse: host.includeAttemptCountInResponse,
  };
  return { match, route };
}

function compileRateLimits(proto: RouteProto, host: VirtualHost, path: string): RouteRateLimits | null {
  const action = proto.action.case === 'route' ? proto.action.value : undefined;
  const ownLimits = action?.rateLimits ?? [];
  if (ownLimits.length === 0 && host.rateLimits.length === 0) return null;
  return {
    own: compileRateLimitRules(ownLimits, `${path}.route.rate_limits`),
    host: compileRateLimitRules(host.rateLimits, 'rate_limits'),
    includesHost: action?.includeVhRateLimits === true,
  };
}

function compileAction(
  proto: RouteProto,
  matched: CompiledMatch['path'],
  table: TableSettings,
  defaults: ForwardDefaults,
  path: string,
): Route['action'] {
  switch (proto.action.case) {
    case 'route': {
      const { action, choice } = compileForward(proto.action.value, matched, table.scope, defaults, `${path}.route`);
      for (const cluster of choice.clusters) table.noteCluster(cluster, `${path}.route`);
      for (const mirror of action.mirrors) table.noteCluster(mirror.cluster, `${path}.route.request_mirror_policies`);
      return action;
    }
    case 'redirect':
      return compileRedirect(proto.action.value, matched, `${path}.redirect`);
    case 'directResponse': {
      const { status } = proto.action.value;
      const body = table.readDataSource(proto.action.value.body, `${path}.direct_response.body`);
      return directAction(status, body, table.maxDirectBodyBytes, path);
    }
    case 'filterAction':
      return refuse(`${path}.filter_action`, 'is not supported');
    case 'nonForwardingAction':
      return refuse(`${path}.non_forwarding_action`, 'is not supported');
    case undefined:
      return refuse(path, 'has no action');
  }
}

function directAction(status: number, body: Uint8Array | null, maxBytes: number, path: string): DirectAction {
  if (status < 200 || status > 599) refuse(`${path}.direct_response.status`, `${status} is not in 200 to 599`);
  if (body !== null && body.length > maxBytes) {
    refuse(`${path}.direct_response.body`, `holds ${body.length} bytes, more than ${maxBytes}`);
  }
  return { kind: 'direct', status, body: body === null || body.length === 0 ? null : body };
}

function httpsRedirectRoute(proto: VirtualHost): Route {
  return {
    name: '',
    virtualHostName: proto.name,
    metadata: null,
    action: HTTPS_REDIRECT,
    request: null,
    response: null,
    perFilter: new Map(),
    rateLimits: null,
    attemptCountInRequest: false,
    attemptCountInResponse: false,
  };
}

function requireTls(routes: CompiledVirtualHost, redirect: Route, externalOnly: boolean): CompiledVirtualHost {
  const mustRedirect = (request: RoutableRequest): boolean => {
    const isPlain = (request.headers.get('x-forwarded-proto') ?? request.scheme) !== 'https';
    return isPlain && !(externalOnly && request.headers.get('x-envoy-internal') === 'true');
  };
  return {
    match: (request, path, random) => (mustRedirect(request) ? redirect : routes.match(request, path, random)),
    explain: (request, path, random) =>
      mustRedirect(request) ? { route: redirect, passedOver: [] } : routes.explain(request, path, random),
  };
}
