import type { Any } from '@bufbuild/protobuf/wkt';
import type { HttpFilterSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { HTTPRoute } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { ProxyNode } from '../../mesh/proxy-node.ts';
import type { ProxyView } from '../../mesh/view.ts';
import { cacheKey, type Inputs, type ResourceCache } from '../cache.ts';
import type { EncodedResource } from '../encoded.ts';
import type { Init } from '../protobuf.ts';

export type HttpFilterInit = Init<typeof HttpFilterSchema>;

/** Whose connection manager a filter is in: of a sidecar for its application, for its clients, or of a gateway. */
export type Direction = 'inbound' | 'outbound' | 'gateway';

/** The proxy that a filter is generated for, and what it sees of the mesh. */
export interface FilterProxy {
  readonly node: ProxyNode;
  readonly view: ProxyView;
}

/** A filter that not every Envoy has: one unknown extension makes an Envoy refuse the whole resource. */
export interface Negotiated {
  /** Names and type URLs by which proxies announce it. */
  readonly announced: readonly string[];
  /** What a proxy goes without that does not announce it. */
  readonly consequence: string;
}

/**
 * Whether the filter keeps requests out that must not come in. Such a filter is never left out: a proxy that does not know
 * it refuses the resource and lets nothing new through, rather than all.
 */
type Importance =
  | { readonly guards: true; readonly negotiated?: never }
  | {
      readonly guards: false;
      /** Null: every Envoy has it. */
      readonly negotiated: Negotiated | null;
    };

interface FilterParts<Declared extends Inputs> {
  /** Envoy's, or Istio's for its own filters: in the connection manager and in `typed_per_filter_config`. */
  readonly name: string;
  /**
   * All that the filter's configuration is made of beside the direction: the key under which listeners with it are
   * shared. `null` where this proxy does not get the filter.
   */
  inputs(proxy: FilterProxy): Declared | null;
  /** Its configuration in a connection manager; `null` where it has no place in that direction. */
  manager(direction: Direction, inputs: Declared): Any | null;
  /** Its configuration on a route; `null` where the rule says nothing to it. */
  route?(rule: HTTPRoute): Any | null;
  /** Clusters that it calls. */
  clusters?(inputs: Declared, cache: ResourceCache): readonly EncodedResource[];
}

export type HttpFilterDefinition<Declared extends Inputs> = FilterParts<Declared> & Importance;

/** A filter as one proxy gets it. */
export interface PlacedFilter {
  /** Equal for proxies that get the same. */
  readonly key: string;
  manager(direction: Direction): HttpFilterInit | null;
  clusters(cache: ResourceCache): readonly EncodedResource[];
}

export interface HttpFilter {
  readonly name: string;
  /** `null` where the proxy does not get it. */
  place(proxy: FilterProxy): PlacedFilter | null;
  route(rule: HTTPRoute): Any | null;
  /** What the proxy goes without because it does not have the filter; `null` when it does not have to. */
  omission(node: ProxyNode): string | null;
}

export function defineHttpFilter<Declared extends Inputs>(definition: HttpFilterDefinition<Declared>): HttpFilter {
  const { name } = definition;
  const negotiated = definition.guards ? null : definition.negotiated;
  const isKnownTo = ({ extensions }: ProxyNode): boolean =>
    negotiated === null || negotiated.announced.some((extension) => extensions.has(extension));
  return {
    name,
    place(proxy) {
      const inputs = isKnownTo(proxy.node) ? definition.inputs(proxy) : null;
      if (inputs === null) return null;
      return {
        key: cacheKey(definition, inputs),
        manager(direction) {
          const value = definition.manager(direction, inputs);
          return value === null ? null : { name, configType: { case: 'typedConfig', value } };
        },
        clusters: (cache) => definition.clusters?.(inputs, cache) ?? [],
      };
    },
    route: (rule) => definition.route?.(rule) ?? null,
    omission: (node) => (isKnownTo(node) ? null : (negotiated?.consequence ?? null)),
  };
}
