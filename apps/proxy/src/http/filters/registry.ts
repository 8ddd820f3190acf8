import type { Any } from '@bufbuild/protobuf/wkt';
import type { HttpFilter as HttpFilterConfig } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { NetworkFilterScope } from '../../downstream/network-filters.ts';
import type { FilterFactory } from '../filter.ts';
import { inField, refuse, refuseWhen } from '../route/field.ts';
import { compileFaultFilter, compileFaultRoute } from './fault.ts';
import { type FilterConfig, filterConfigOf } from './filter-config.ts';
import { compilePeerMetadataFilter } from './peer-metadata.ts';
import { compileRouterFilter, type RouterSettings } from './router.ts';
import { compileStatsFilter } from './stats.ts';

interface FilterKind {
  /** The name that is used when a configuration gives the filter none of its own. */
  readonly wellKnownName: string;
  readonly typeName: string;
  compile(name: string, config: FilterConfig, scope: NetworkFilterScope): FilterFactory;
  /** Compiles per-route configuration; null: the filter has none. */
  readonly compileRoute: ((config: FilterConfig) => unknown) | null;
}

const KINDS: readonly FilterKind[] = [
  {
    wellKnownName: 'envoy.filters.http.fault',
    typeName: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
    compile: compileFaultFilter,
    compileRoute: compileFaultRoute,
  },
  {
    wellKnownName: 'istio.peer_metadata',
    typeName: 'io.istio.http.peer_metadata.Config',
    compile: compilePeerMetadataFilter,
    compileRoute: null,
  },
  {
    wellKnownName: 'istio.stats',
    typeName: 'stats.PluginConfig',
    compile: compileStatsFilter,
    compileRoute: null,
  },
];

const ROUTER = {
  wellKnownName: 'envoy.filters.http.router',
  typeName: 'envoy.extensions.filters.http.router.v3.Router',
};

/** HTTP filters that this proxy runs, for the node's list of extensions. */
export const supportedHttpFilters: readonly { readonly name: string; readonly typeUrl: string }[] = [
  ...KINDS,
  ROUTER,
].map(({ wellKnownName, typeName }) => ({ name: wellKnownName, typeUrl: `type.googleapis.com/${typeName}` }));

export interface CompiledHttpFilters {
  /** In order, without the router. */
  readonly factories: readonly FilterFactory[];
  readonly router: RouterSettings;
}

/** Compiles `http_filters`. Throws `invalid` for an unknown one that is not optional, or a chain without router. */
export function compileHttpFilters(
  configs: readonly HttpFilterConfig[],
  scope: NetworkFilterScope,
): CompiledHttpFilters {
  const factories: FilterFactory[] = [];
  let router: RouterSettings | null = null;
  configs.forEach((config, index) => {
    inField(`http_filters[${index}]`, () => {
      if (router !== null) refuse(config.name, 'stands after the router, which must be the last filter');
      refuseWhen(config.disabled, `${config.name}: disabled`);
      const typed = config.configType.case === 'typedConfig' ? filterConfigOf(config.configType.value) : null;
      if (typed?.typeName === ROUTER.typeName) {
        router = compileRouterFilter(typed);
        return;
      }
      const kind = KINDS.find((known) => known.typeName === typed?.typeName);
      if (kind !== undefined && typed !== null) factories.push(kind.compile(config.name, typed, scope));
      else if (!config.isOptional) refuseUnknown(config, typed?.typeName ?? '');
    });
  });
  if (router === null) return refuse('http_filters', 'has no router filter at its end');
  return { factories, router };
}

/** Compiles one `typed_per_filter_config` entry of a route, virtual host or table. Throws `invalid`. */
export function compilePerFilterConfig(filterName: string, config: Any): unknown {
  const typed = filterConfigOf(config);
  const { typeName } = typed;
  const kind = KINDS.find((known) => known.typeName === typeName);
  if (kind === undefined || kind.compileRoute === null) {
    return refuse(`filter "${filterName}"`, `per-route configuration of type ${typeName} is not supported`);
  }
  return kind.compileRoute(typed);
}

function refuseUnknown(config: HttpFilterConfig, typeName: string): never {
  if (config.configType.case === 'configDiscovery')
    return refuse(`"${config.name}"`, 'config_discovery is not supported');
  const known = [...KINDS, ROUTER].map((kind) => kind.wellKnownName).join(', ');
  return refuse(
    `"${config.name}"`,
    `${typeName || 'a filter without typed_config'} is not supported`,
    `Supported: ${known}.`,
  );
}
