import { durationMs } from '@bufbuild/protobuf/wkt';
import {
  type HedgePolicy,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  type RouteAction,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { RoutingPriority } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { compileClusterChoice, type CompiledChoice } from './cluster-choice.ts';
import { refuse } from '@flotilla/envoy';
import { compileHashPolicies } from './hash-policy.ts';
import { compileMirrorPolicies } from './mirror-policies.ts';
import type { CompiledMatch } from './request-match.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import {
  compileHostFromPath,
  compilePrefixRewrite,
  compileRegexRewrite,
  compileTemplateRewrite,
  type PathRewrite,
} from './rewrite.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { ForwardAction, GrpcTimeoutRule, MirrorPolicy, RetryPolicy } from './route.ts';
import type { Scope } from './scope.ts';

/** What a route takes over from its virtual host when it has none of its own. */
export interface ForwardDefaults {
  readonly retry: RetryPolicy | null;
  readonly hedges: boolean;
  readonly mirrors: readonly MirrorPolicy[];
}

export interface CompiledForward {
  readonly action: ForwardAction;
  readonly choice: CompiledChoice;
}

/** Envoy's default of `timeout`. */
const DEFAULT_TIMEOUT_MS = 15_000;

const NOT_FOUND_STATUS: Readonly<Record<NotFoundCode, number>> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
};

/** Compiles a `RouteAction`. Its `rate_limits` are the virtual host's to compile. */
export function compileForward(
  proto: RouteAction,
  matched: CompiledMatch['path'],
  scope: Scope,
  defaults: ForwardDefaults,
  path: string,
): CompiledForward {
  const choice = compileClusterChoice(proto, scope, path);
  const { timeout, idleTimeout, maxStreamDuration } = proto;
  const ownMirrors = compileMirrorPolicies(proto.requestMirrorPolicies, `${path}.request_mirror_policies`);
  const maxDuration = maxStreamDuration?.maxStreamDuration;
  const action: ForwardAction = {
    kind: 'forward',
    pick: choice.pick,
    rewrite: compileRewrite(proto, matched, path),
    autoHostRewrite: proto.hostRewriteSpecifier.case === 'autoHostRewrite' && proto.hostRewriteSpecifier.value.value,
    // With a bound for the stream the older one counts no more (as in Envoy).
    timeoutMs: maxStreamDuration !== undefined ? 0 : timeout === undefined ? DEFAULT_TIMEOUT_MS : durationMs(timeout),
    idleTimeoutMs: idleTimeout === undefined ? null : durationMs(idleTimeout),
    maxStreamDurationMs: maxDuration === undefined ? null : durationMs(maxDuration),
    grpcTimeout: compileGrpcTimeout(proto),
    ...compileUpgrades(proto.upgradeConfigs, `${path}.upgrade_configs`),
    priority: proto.priority === RoutingPriority.HIGH ? 'high' : 'default',
    hash: compileHashPolicies(proto.hashPolicy, `${path}.hash_policy`),
    retry:
      proto.retryPolicy === undefined ? defaults.retry : compileRetryPolicy(proto.retryPolicy, `${path}.retry_policy`),
    hedges: proto.hedgePolicy === undefined ? defaults.hedges : compileHedging(proto.hedgePolicy),
    mirrors: ownMirrors.length > 0 ? ownMirrors : defaults.mirrors,
    clusterNotFoundStatus: NOT_FOUND_STATUS[proto.clusterNotFoundResponseCode],
  };
  return { action, choice };
}

/** Whether a try that takes too long is joined by another: the one part of hedging that Envoy has, too. */
export function compileHedging(proto: HedgePolicy | undefined): boolean {
  return proto?.hedgeOnPerTryTimeout === true;
}

function compileUpgrades(
  configs: RouteAction['upgradeConfigs'],
  path: string,
): Pick<ForwardAction, 'upgrades' | 'terminatesConnect'> {
  let terminatesConnect = false;
  const upgrades = new Map<string, boolean>();
  configs.forEach(({ upgradeType, enabled, connectConfig }, index) => {
    const field = `${path}[${index}]`;
    const type = upgradeType.toLowerCase();
    if (type === '') refuse(`${field}.upgrade_type`, 'is empty');
    if (upgrades.has(type)) refuse(`${field}.upgrade_type`, `"${upgradeType}" is given twice`);
    upgrades.set(type, enabled !== false);
    if (connectConfig === undefined) return;
    if (type !== 'connect') refuse(`${field}.connect_config`, 'is for CONNECT only');
    terminatesConnect = true;
  });
  return { upgrades, terminatesConnect };
}

function compileGrpcTimeout(proto: RouteAction): GrpcTimeoutRule | null {
  const { maxStreamDuration } = proto;
  const bounds = maxStreamDuration === undefined ? 'response' : 'stream';
  const max = maxStreamDuration === undefined ? proto.maxGrpcTimeout : maxStreamDuration.grpcTimeoutHeaderMax;
  const offset = maxStreamDuration === undefined ? proto.grpcTimeoutOffset : maxStreamDuration.grpcTimeoutHeaderOffset;
  if (max === undefined) return null;
  return { bounds, maxMs: durationMs(max), offsetMs: offset === undefined ? 0 : durationMs(offset) };
}

function compileRewrite(
  proto: RouteAction,
  matched: CompiledMatch['path'],
  path: string,
): ((request: RoutableRequest) => void) | null {
  const rewritePath = compilePathRewrite(proto, matched, path);
  const rewriteHost = compileHostRewrite(proto, path);
  if (rewritePath === null && rewriteHost === null) return null;
  return (request) => {
    rewriteHost?.(request);
    if (rewritePath === null) return;
    request.headers.set('x-envoy-original-path', request.path);
    request.path = rewritePath(request.path);
  };
}

function compilePathRewrite(proto: RouteAction, matched: CompiledMatch['path'], path: string): PathRewrite | null {
  if (proto.pathRewritePolicy !== undefined) {
    const field = `${path}.path_rewrite_policy`;
    if (proto.regexRewrite !== undefined || proto.prefixRewrite !== '') refuse(field, 'stands beside another rewrite');
    return compileTemplateRewrite(proto.pathRewritePolicy, matched, field);
  }
  if (proto.regexRewrite !== undefined) {
    if (proto.prefixRewrite !== '') refuse(`${path}.prefix_rewrite`, 'stands beside regex_rewrite');
    return compileRegexRewrite(proto.regexRewrite, `${path}.regex_rewrite`);
  }
  return proto.prefixRewrite === '' ? null : compilePrefixRewrite(matched, proto.prefixRewrite);
}

/** The host part of the rewrite. It reads the path as it was before the path's own rewrite. */
function compileHostRewrite(proto: RouteAction, path: string): ((request: RoutableRequest) => void) | null {
  const { appendXForwardedHost } = proto;
  const newHost = compileNewHost(proto, path);
  if (newHost === null) return null;
  return (request) => {
    const host = newHost(request);
    if (host === '') return;
    if (appendXForwardedHost && request.authority !== '') appendForwardedHost(request);
    if (request.authority !== '') request.headers.set('x-envoy-original-host', request.authority);
    request.authority = host;
  };
}

function compileNewHost(proto: RouteAction, path: string): ((request: RoutableRequest) => string) | null {
  const rule = proto.hostRewriteSpecifier;
  switch (rule.case) {
    case 'hostRewriteLiteral': {
      const { value } = rule;
      return () => value;
    }
    case 'hostRewriteHeader': {
      const name = rule.value.toLowerCase();
      return (request) => request.headers.get(name) ?? '';
    }
    case 'hostRewritePathRegex': {
      const hostOf = compileHostFromPath(rule.value, `${path}.host_rewrite_path_regex`);
      return (request) => hostOf(request.path);
    }
    case 'autoHostRewrite':
      // The router rewrites when the host is chosen; until then the name is only noted down.
      return proto.appendXForwardedHost && rule.value.value ? (request) => request.authority : null;
    case 'hostRewrite':
      return refuse(`${path}.host_rewrite`, 'is not supported');
    case undefined:
      return null;
  }
}

function appendForwardedHost(request: RoutableRequest): void {
  const known = request.headers.getCombined('x-forwarded-host');
  request.headers.set('x-forwarded-host', known === undefined ? request.authority : `${known},${request.authority}`);
}
