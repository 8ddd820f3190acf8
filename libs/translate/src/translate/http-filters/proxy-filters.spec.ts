import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { HTTPRouteSchema } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { RBACSchema } from '@flotilla/wire/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { viewOf } from '../../mesh/view.ts';
import { sidecarNode, type SidecarOptions } from '../../testing/nodes.ts';
import { meshOf, proxyOf } from '../../testing/translation.ts';
import { ResourceCache } from '../cache.ts';
import { clusterDraft } from '../draft.ts';
import { typed } from '../protobuf.ts';
import { defineHttpFilter, type FilterProxy } from './http-filter.ts';
import { filterOmissions, proxyFilters, routeConfigs } from './proxy-filters.ts';
import { HTTP_FILTERS } from './registry.ts';

const mesh = meshOf('');

function proxy(options: SidecarOptions = {}, ...extensions: readonly string[]): FilterProxy {
  const node = proxyOf({ ...sidecarNode(options), extensions: extensions.map((name) => ({ name })) });
  return { node, view: viewOf(mesh, node, null) };
}

const ISTIO = ['istio.metadata_exchange', 'istio.alpn', 'istio.stats'];

/** A filter that is made of the workload's namespace, and keeps requests out. */
const guard = defineHttpFilter({
  name: 'envoy.filters.http.rbac',
  guards: true,
  inputs: ({ node }) => (node.namespace === 'open' ? null : { namespace: node.namespace }),
  manager: (direction, { namespace }) =>
    direction === 'inbound' ? typed(RBACSchema, { rulesStatPrefix: namespace }) : null,
  clusters: ({ namespace }, cache) => [
    cache.get(({ name }) => clusterDraft(name, { name }), { name: `of-${namespace}` }),
  ],
});

const names = (each: FilterProxy, filters = HTTP_FILTERS): readonly (string | undefined)[] =>
  proxyFilters(each, filters)
    .manager('inbound')
    .map(({ name }) => name);

describe('the filters of a proxy', () => {
  it('are in the order of the list, the router last', () => {
    expect(names(proxy({}, ...ISTIO))).toEqual([
      'istio.metadata_exchange',
      'envoy.filters.http.fault',
      'envoy.filters.http.cors',
      'istio.stats',
      'envoy.filters.http.router',
    ]);
    const outbound = proxyFilters(proxy({}, ...ISTIO)).manager('outbound');
    expect(outbound.map(({ name }) => name)).toContain('istio.alpn');
  });

  it('are without what the proxy does not have, which is told', () => {
    expect(names(proxy())).toEqual([
      'envoy.filters.http.fault',
      'envoy.filters.http.cors',
      'envoy.filters.http.router',
    ]);
    expect(filterOmissions(proxy().node).map((line) => line.split(':')[0])).toEqual(ISTIO);
    expect(filterOmissions(proxy({}, ...ISTIO).node)).toEqual([]);
  });

  it('are never without one that keeps requests out, whatever the proxy says it has', () => {
    const filters = [guard, ...HTTP_FILTERS];
    expect(names(proxy(), filters)[0]).toBe('envoy.filters.http.rbac');
    expect(filterOmissions(proxy().node, [guard])).toEqual([]);
    // @ts-expect-error: what guards is not negotiated.
    defineHttpFilter({ name: 'x', guards: true, negotiated: null, inputs: () => ({}), manager: () => null });
  });

  it('are one object for proxies whose inputs are equal, and another where one input differs', () => {
    const filters = [guard, ...HTTP_FILTERS];
    const shared = proxyFilters(proxy({ workload: 'a' }), filters);
    expect(proxyFilters(proxy({ workload: 'b' }), filters)).toBe(shared);
    expect(proxyFilters(proxy({ namespace: 'other' }), filters)).not.toBe(shared);
    expect(proxyFilters(proxy({}, ...ISTIO), filters)).not.toBe(shared);
  });

  it('are without one that has no inputs for the proxy, or no place in the direction', () => {
    expect(names(proxy({ namespace: 'open' }), [guard])).toEqual([]);
    expect(proxyFilters(proxy(), [guard]).manager('gateway')).toEqual([]);
  });

  it('bring the clusters that they call', () => {
    const cache = new ResourceCache();
    expect(proxyFilters(proxy(), [guard]).clusters(cache)).toMatchObject([{ type: 'CDS', name: 'of-default' }]);
  });
});

it('a rule has a filter on its route where it says something to it', () => {
  const rule = create(HTTPRouteSchema, { corsPolicy: {}, fault: {} });
  expect(Object.keys(routeConfigs(rule))).toEqual(['envoy.filters.http.fault', 'envoy.filters.http.cors']);
  expect(routeConfigs(create(HTTPRouteSchema, {}))).toEqual({});
});
