import type { Any } from '@bufbuild/protobuf/wkt';
import type { HTTPRoute } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { ProxyNode } from '../../mesh/proxy-node.ts';
import type { ResourceCache } from '../cache.ts';
import type { EncodedResource } from '../encoded.ts';
import type { Direction, FilterProxy, HttpFilter, HttpFilterInit, PlacedFilter } from './http-filter.ts';
import { HTTP_FILTERS } from './registry.ts';

/**
 * The HTTP filters of one proxy's connection managers. Proxies whose filters have equal inputs share one object, so that
 * its identity stands for all that the filters declared.
 */
export class ProxyFilters {
  /** Equal for equal filters with equal inputs. */
  readonly key: string;
  readonly #placed: readonly PlacedFilter[];

  constructor(key: string, placed: readonly PlacedFilter[]) {
    this.key = key;
    this.#placed = placed;
  }

  manager(direction: Direction): HttpFilterInit[] {
    return this.#placed.flatMap((filter) => filter.manager(direction) ?? []);
  }

  /** Clusters that the filters call. */
  clusters(cache: ResourceCache): readonly EncodedResource[] {
    return this.#placed.flatMap((filter) => filter.clusters(cache));
  }
}

const shared = new Map<string, ProxyFilters>();
/** More are made again when they are asked for: that costs the sharing of what they are in, and no more. */
const MAX_SHARED = 1_000;

export function proxyFilters(proxy: FilterProxy, filters: readonly HttpFilter[] = HTTP_FILTERS): ProxyFilters {
  const placed = filters.flatMap((filter) => filter.place(proxy) ?? []);
  const key = placed.map((filter) => filter.key).join(';');
  const known = shared.get(key) ?? new ProxyFilters(key, placed);
  shared.delete(key);
  shared.set(key, known);
  if (shared.size > MAX_SHARED) for (const oldest of [...shared.keys()].slice(0, 1)) shared.delete(oldest);
  return known;
}

/** What the filters have on the route of a rule, for `typed_per_filter_config`. */
export function routeConfigs(
  rule: HTTPRoute,
  filters: readonly HttpFilter[] = HTTP_FILTERS,
): { [filter: string]: Any } {
  return Object.fromEntries(
    filters.flatMap((filter) => {
      const config = filter.route(rule);
      return config === null ? [] : [[filter.name, config]];
    }),
  );
}

/** What a proxy goes without, since it does not have the filters for it, one line each. */
export function filterOmissions(node: ProxyNode, filters: readonly HttpFilter[] = HTTP_FILTERS): string[] {
  return filters.flatMap((filter) => filter.omission(node) ?? []);
}
