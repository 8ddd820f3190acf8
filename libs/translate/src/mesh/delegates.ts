import { clone, create } from '@bufbuild/protobuf';
import {
  type HTTPMatchRequest,
  HTTPMatchRequestSchema,
  type HTTPRoute,
  HTTPRouteSchema,
  type StringMatch,
} from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { resolveHost } from '@flotilla/model';
import type { Config } from './config.ts';
import type { MeshSettings } from './settings.ts';
import { isVirtualServiceVisible } from './virtual-services.ts';

type VirtualServiceConfig = Config<'VirtualService'>;

interface Flattened {
  readonly delegates: readonly (VirtualServiceConfig | null)[];
  readonly whole: VirtualServiceConfig;
}

// By the root, which is immutable: the same root with the same delegates is the same object.
const flattened = new WeakMap<VirtualServiceConfig, Flattened>();

/**
 * Puts the rules of VirtualServices without hosts in the place where others delegate to them (Istio's
 * `http[].delegate`): a delegate's rule takes what both match, and what it does not say itself it takes over. One level
 * only. A route whose delegate is not there, or cannot match with it, is left out.
 */
export function flattenDelegates(
  all: readonly VirtualServiceConfig[],
  settings: MeshSettings,
): readonly VirtualServiceConfig[] {
  const roots = all.filter(({ spec }) => spec.hosts.length > 0);
  const isPlain = roots.every(({ spec }) => spec.http.every((route) => route.delegate === undefined));
  if (isPlain) return roots.length === all.length ? all : roots;
  const delegates = new Map(
    all.filter(({ spec }) => spec.hosts.length === 0).map((each) => [`${each.key.namespace}/${each.key.name}`, each]),
  );
  return roots.map((root) => flattenRoot(root, delegates, settings));
}

function flattenRoot(
  root: VirtualServiceConfig,
  known: ReadonlyMap<string, VirtualServiceConfig>,
  settings: MeshSettings,
): VirtualServiceConfig {
  const delegates = root.spec.http.map(({ delegate }) => {
    if (delegate === undefined) return null;
    const found = known.get(`${delegate.namespace || root.key.namespace}/${delegate.name}`) ?? null;
    return found !== null && isVirtualServiceVisible(found, root.key.namespace, settings) ? found : null;
  });
  if (root.spec.http.every((route) => route.delegate === undefined)) return root;
  const before = flattened.get(root);
  if (before?.delegates.every((each, index) => each === delegates[index]) === true) return before.whole;
  const http = root.spec.http.flatMap((route, index) => {
    if (route.delegate === undefined) return [route];
    const delegate = delegates[index];
    return delegate == null ? [] : delegate.spec.http.flatMap((rule) => mergeRoute(route, rule, delegate, settings));
  });
  const whole = { ...root, spec: { ...root.spec, http } };
  flattened.set(root, { delegates, whole });
  return whole;
}

/** What a delegate's rule takes over from the route that names it, where it does not say it itself. */
const TAKEN_OVER = [
  ...(['rewrite', 'timeout', 'retries', 'fault', 'corsPolicy', 'headers'] as const),
  ...(['mirror', 'mirrorPercent', 'mirrorPercentage'] as const),
];

/** The delegate's rule within the root's; none when they cannot match together. */
function mergeRoute(
  root: HTTPRoute,
  rule: HTTPRoute,
  { key }: VirtualServiceConfig,
  settings: MeshSettings,
): HTTPRoute[] {
  if (rule.delegate !== undefined) return [];
  const match = mergeMatches(root.match, rule.match);
  if (match === null) return [];
  const merged = clone(HTTPRouteSchema, rule);
  merged.match = match;
  merged.name = [root.name, rule.name].filter((name) => name !== '').join('-');
  for (const field of TAKEN_OVER) {
    // Each pair is of one field.
    if (merged[field] === undefined) Object.assign(merged, { [field]: root[field] });
  }
  if (merged.mirrors.length === 0) merged.mirrors = root.mirrors;
  // Short names are those of the delegate's namespace.
  const destinations = [
    ...merged.route.map((weighted) => weighted.destination),
    rule.mirror === undefined ? undefined : merged.mirror,
    ...(rule.mirrors.length === 0 ? [] : merged.mirrors.map((mirror) => mirror.destination)),
  ];
  for (const destination of destinations) {
    if (destination !== undefined) {
      destination.host = resolveHost(destination.host, key.namespace, settings.domainSuffix);
    }
  }
  return [merged];
}

/** What both lists match, as a list; null when nothing does. An empty list matches everything. */
function mergeMatches(root: readonly HTTPMatchRequest[], leaf: readonly HTTPMatchRequest[]): HTTPMatchRequest[] | null {
  if (root.length === 0) return [...leaf];
  if (leaf.length === 0) return [...root];
  const merged = root.flatMap((outer) =>
    leaf.flatMap((inner) => (conflicts(outer, inner) ? [] : [merge(outer, inner)])),
  );
  return merged.length === 0 ? null : merged;
}

function merge(outer: HTTPMatchRequest, inner: HTTPMatchRequest): HTTPMatchRequest {
  const merged = create(HTTPMatchRequestSchema, {
    ...inner,
    name: [outer.name, inner.name].filter((name) => name !== '').join('-'),
    headers: { ...outer.headers, ...inner.headers },
    withoutHeaders: { ...outer.withoutHeaders, ...inner.withoutHeaders },
    queryParams: { ...outer.queryParams, ...inner.queryParams },
    sourceLabels: { ...outer.sourceLabels, ...inner.sourceLabels },
    port: inner.port || outer.port,
    gateways: inner.gateways.length > 0 ? inner.gateways : outer.gateways,
    sourceNamespace: inner.sourceNamespace || outer.sourceNamespace,
    ignoreUriCase: inner.ignoreUriCase || outer.ignoreUriCase,
  });
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    const match = inner[field] ?? outer[field];
    if (match !== undefined) merged[field] = match;
  }
  return merged;
}

/** The delegate's rule asks for what the root's excludes. */
function conflicts(outer: HTTPMatchRequest, inner: HTTPMatchRequest): boolean {
  if (outer.ignoreUriCase !== inner.ignoreUriCase && outer.uri !== undefined && inner.uri !== undefined) return true;
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    if (isOutside(outer[field], inner[field])) return true;
  }
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, match] of Object.entries(outer[field])) if (isOutside(match, inner[field][name])) return true;
  }
  for (const [name, value] of Object.entries(outer.sourceLabels)) {
    const other = inner.sourceLabels[name];
    if (other !== undefined && other !== value) return true;
  }
  if (outer.port !== 0 && inner.port !== 0 && outer.port !== inner.port) return true;
  if (outer.gateways.length > 0 && inner.gateways.some((gateway) => !outer.gateways.includes(gateway))) return true;
  return (
    outer.sourceNamespace !== '' && inner.sourceNamespace !== '' && outer.sourceNamespace !== inner.sourceNamespace
  );
}

/** Not all that `inner` matches is within `outer`, as far as that can be told: of two expressions it cannot. */
function isOutside(outer: StringMatch | undefined, inner: StringMatch | undefined): boolean {
  if (outer?.matchType.case === undefined || inner?.matchType.case === undefined) return false;
  const [a, b] = [outer.matchType, inner.matchType];
  if (a.case === 'regex' || b.case === 'regex') return true;
  if (a.case === 'exact') return b.case !== 'exact' || a.value !== b.value;
  return !b.value.startsWith(a.value);
}
