import { RedirectAction_RedirectResponseCode as RedirectCode } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type {
  RedirectActionSchema,
  RouteActionSchema,
  RouteSchema,
  WeightedClusterSchema,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import {
  type HTTPMatchRequest,
  type HTTPRedirect,
  HTTPRedirect_RedirectPortSelection as PortSelection,
  type HTTPRoute,
  type HTTPRouteDestination,
} from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { configPath } from '../../mesh/config.ts';
import { routeConfigs } from '../http-filters/proxy-filters.ts';
import { type Init, milliseconds, toMs } from '../protobuf.ts';
import { canMeet, destinationCluster, type RouteContext, usedDestinations } from './destination.ts';
import { hashPolicies } from './hash-policy.ts';
import { authorityOf, headerEdits } from './headers.ts';
import { isCatchAll, routeMatch } from './match.ts';
import { mirrorPolicies } from './mirror.ts';
import { outboundRetryPolicy } from './retry.ts';

export type RouteInit = Init<typeof RouteSchema>;
type ActionInit = Init<typeof RouteActionSchema>;

/**
 * The HTTP rules of a VirtualService as routes, in their order, one for each match that this proxy can meet. Rules after
 * one that takes every request are left out: they are never reached.
 */
export function httpRoutes(context: RouteContext): RouteInit[] {
  const routes: RouteInit[] = [];
  for (const rule of context.virtualService.spec.http) {
    const matches = rule.match.length === 0 ? [null] : rule.match;
    for (const match of matches) {
      if (match !== null && !canMeet(match, context)) continue;
      routes.push(routeOf(rule, match, context));
      if (isCatchAll(match)) return routes;
    }
  }
  return routes;
}

/** The routes of every rule and match, as if one proxy could meet them all: for whoever judges a rule, not for proxies. */
export function everyHttpRoute(context: RouteContext): RouteInit[] {
  return context.virtualService.spec.http
    .filter(({ delegate }) => delegate === undefined)
    .flatMap((rule) => (rule.match.length === 0 ? [null] : rule.match).map((match) => routeOf(rule, match, context)));
}

function routeOf(rule: HTTPRoute, match: HTTPMatchRequest | null, context: RouteContext): RouteInit {
  const name = [rule.name, match?.name ?? ''].filter((part) => part !== '').join('.');
  return {
    name: name === '' ? 'default' : name,
    match: routeMatch(match),
    ...(match === null || match.statPrefix === '' ? {} : { statPrefix: match.statPrefix }),
    ...headerEdits(rule.headers),
    metadata: { filterMetadata: { istio: { config: configPath(context.virtualService) } } },
    typedPerFilterConfig: routeConfigs(rule),
    ...actionOf(rule, match, context),
  };
}

function actionOf(rule: HTTPRoute, match: HTTPMatchRequest | null, context: RouteContext): RouteInit {
  if (rule.redirect !== undefined) {
    return { action: { case: 'redirect', value: redirectOf(rule.redirect, context) } };
  }
  if (rule.directResponse !== undefined) {
    const { status, body } = rule.directResponse;
    return {
      action: {
        case: 'directResponse',
        value: {
          status,
          ...(body?.specifier.case === 'string'
            ? { body: { specifier: { case: 'inlineString', value: body.specifier.value } } }
            : body?.specifier.case === 'bytes'
              ? { body: { specifier: { case: 'inlineBytes', value: body.specifier.value } } }
              : {}),
        },
      },
    };
  }
  const destination = destinationsOf(rule.route, context);
  const authority = rule.rewrite?.authority || authorityOf(rule.headers) || destination.authority;
  const retryPolicy = rule.fault === undefined ? outboundRetryPolicy(rule.retries, context.mesh) : undefined;
  const action: ActionInit = {
    ...destination.action,
    ...timeouts(rule),
    ...rewriteOf(rule, match),
    ...(authority === null ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } }),
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
    requestMirrorPolicies: mirrorPolicies(rule, context),
    hashPolicy: usedDestinations(rule.route).flatMap(({ destination }) =>
      hashPolicies(context.hashed, destinationCluster(destination.destination, context)),
    ),
  };
  return {
    ...destination.edits,
    action: { case: 'route', value: action },
    decorator: { operation: destination.operation },
  };
}

/** Faults on a route turn its timeout and retries off (Istio's documentation of `fault`). */
function timeouts(rule: HTTPRoute): ActionInit {
  const timeoutMs = rule.fault === undefined ? (toMs(rule.timeout) ?? 0) : 0;
  const timeout = milliseconds(timeoutMs);
  return {
    timeout,
    // Without a time-out a gRPC client's own deadline holds. With one it must be absent: Envoy reads `timeout` no more
    // where a bound for the stream is set.
    ...(timeoutMs === 0 ? { maxStreamDuration: { maxStreamDuration: timeout, grpcTimeoutHeaderMax: timeout } } : {}),
  };
}

function rewriteOf(rule: HTTPRoute, match: HTTPMatchRequest | null): ActionInit {
  const { uri = '', uriRegexRewrite } = rule.rewrite ?? {};
  if (uriRegexRewrite !== undefined) {
    return {
      regexRewrite: { pattern: { regex: uriRegexRewrite.match }, substitution: uriRegexRewrite.rewrite },
    };
  }
  if (uri === '') return {};
  // Of a path matched by regex there is no prefix to replace: all of it goes, except the query.
  if (match?.uri?.matchType.case === 'regex') {
    return { regexRewrite: { pattern: { regex: '^[^?]*' }, substitution: uri } };
  }
  return { prefixRewrite: uri };
}

interface Destinations {
  readonly action: ActionInit;
  /** Header edits of a lone destination stand on the route. */
  readonly edits: RouteInit;
  readonly authority: string | null;
  /** Name of the operation in traces. */
  readonly operation: string;
}

function destinationsOf(destinations: readonly HTTPRouteDestination[], context: RouteContext): Destinations {
  const used = usedDestinations(destinations);
  const only = used[0]?.destination;
  const operation = operationOf(only, context);
  if (used.length === 1 && only !== undefined) {
    const cluster = destinationCluster(only.destination, context);
    return {
      action: { clusterSpecifier: { case: 'cluster', value: cluster } },
      edits: only.headers === undefined ? {} : { ...headerEdits(only.headers) },
      authority: authorityOf(only.headers),
      operation,
    };
  }
  const clusters: Init<typeof WeightedClusterSchema>['clusters'] = used.map(({ destination, weight }) => {
    const authority = authorityOf(destination.headers);
    return {
      name: destinationCluster(destination.destination, context),
      weight,
      ...headerEdits(destination.headers),
      ...(authority === null ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } }),
    };
  });
  return {
    action: { clusterSpecifier: { case: 'weightedClusters', value: { clusters } } },
    edits: {},
    authority: null,
    operation,
  };
}

function operationOf(destination: HTTPRouteDestination | undefined, context: RouteContext): string {
  const [, port = '', , hostname = ''] = destinationCluster(destination?.destination, context).split('|');
  return `${hostname}:${port}/*`;
}

function redirectOf(redirect: HTTPRedirect, context: RouteContext): Init<typeof RedirectActionSchema> {
  const port = redirectPort(redirect, context);
  return {
    ...(redirect.authority === '' ? {} : { hostRedirect: redirect.authority }),
    ...(redirect.uri !== ''
      ? { pathRewriteSpecifier: { case: 'pathRedirect', value: redirect.uri } }
      : redirect.prefixRewrite !== ''
        ? { pathRewriteSpecifier: { case: 'prefixRewrite', value: redirect.prefixRewrite } }
        : {}),
    ...(redirect.scheme === '' ? {} : { schemeRewriteSpecifier: { case: 'schemeRedirect', value: redirect.scheme } }),
    ...(port === 0 ? {} : { portRedirect: port }),
    responseCode: redirectCode(redirect.redirectCode),
  };
}

/** 0: the port of the scheme. The default port of the scheme is not written out. */
function redirectPort(redirect: HTTPRedirect, context: RouteContext): number {
  const { redirectPort: choice } = redirect;
  const port =
    choice.case === 'port'
      ? choice.value
      : choice.case === 'derivePort' && choice.value === PortSelection.FROM_REQUEST_PORT
        ? context.clientPort
        : 0;
  const scheme = redirect.scheme || (context.isTls ? 'https' : 'http');
  return (scheme === 'http' && port === 80) || (scheme === 'https' && port === 443) ? 0 : port;
}

function redirectCode(code: number): RedirectCode {
  switch (code) {
    case 302:
      return RedirectCode.FOUND;
    case 303:
      return RedirectCode.SEE_OTHER;
    case 307:
      return RedirectCode.TEMPORARY_REDIRECT;
    case 308:
      return RedirectCode.PERMANENT_REDIRECT;
    default:
      return RedirectCode.MOVED_PERMANENTLY;
  }
}
