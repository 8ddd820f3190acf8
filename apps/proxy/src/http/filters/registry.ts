import type { Any } from '@bufbuild/protobuf/wkt';
import type { ExtensionConfigSource } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { HttpFilter as HttpFilterConfig } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { FilterConfigSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import type { ProxyContext } from '../../ports/context.ts';
import { StatsRegistry } from '../../base/stats.ts';
import { DISABLED, ENABLED, type FilterFactory } from '../../ports/http-filter.ts';
import { compileBufferFilter, compileBufferRoute } from './buffer.ts';
import { compileCompressorFilter, compileCompressorRoute } from './compressor.ts';
import { compileDecompressorFilter } from './decompressor.ts';
import { compileCorsFilter, compileCorsRoute } from './cors.ts';
import { compileCsrfFilter, compileCsrfRoute } from './csrf.ts';
import { compileDynamicForwardProxyFilter, compileDynamicForwardProxyRoute } from './dynamic-forward-proxy.ts';
import { compileDiscoveredFilter } from './discovered.ts';
import { compileFaultFilter, compileFaultRoute } from './fault.ts';
import { type FilterConfig, filterConfigOf, type HttpFilterScope, type RouteFilterScope } from './filter-config.ts';
import { compileGrpcHttp1BridgeFilter } from './grpc-http1-bridge.ts';
import { compileGrpcJsonTranscoderFilter, compileGrpcJsonTranscoderRoute } from './grpc-json-transcoder.ts';
import { compileGrpcStatsFilter } from './grpc-stats.ts';
import { compileGrpcWebFilter } from './grpc-web.ts';
import { compileHeaderToMetadataFilter, compileHeaderToMetadataRoute } from './header-to-metadata.ts';
import { compileHealthCheckFilter } from './health-check.ts';
import { compileHeaderMutationFilter, compileHeaderMutationRoute } from './header-mutation.ts';
import { compileLocalRateLimitFilter, compileLocalRateLimitRoute } from './local-ratelimit.ts';
import { compilePeerMetadataFilter } from './peer-metadata.ts';
import { compileRouterFilter, type RouterSettings } from './router.ts';
import { compileRateLimitFilter, compileRateLimitRoute } from './ratelimit.ts';
import { compileSetFilterStateFilter, compileSetFilterStateRoute } from './set-filter-state.ts';
import { compileSetMetadataFilter } from './set-metadata.ts';
import { compileStatsFilter } from './istio-stats.ts';

interface FilterKind {
  /** The name that is used when a configuration gives the filter none of its own. */
  readonly wellKnownName: string;
  readonly typeName: string;
  /** Type of per-route configuration, where it is another one. */
  readonly routeTypeName?: string;
  compile(name: string, config: FilterConfig, scope: HttpFilterScope): FilterFactory;
  /** Compiles per-route configuration; null: the filter has none. */
  readonly compileRoute: ((config: FilterConfig, scope: RouteFilterScope) => unknown) | null;
}

const KINDS: readonly FilterKind[] = [
  {
    wellKnownName: 'envoy.filters.http.buffer',
    typeName: 'envoy.extensions.filters.http.buffer.v3.Buffer',
    routeTypeName: 'envoy.extensions.filters.http.buffer.v3.BufferPerRoute',
    compile: compileBufferFilter,
    compileRoute: compileBufferRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.compressor',
    typeName: 'envoy.extensions.filters.http.compressor.v3.Compressor',
    routeTypeName: 'envoy.extensions.filters.http.compressor.v3.CompressorPerRoute',
    compile: compileCompressorFilter,
    compileRoute: compileCompressorRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.csrf',
    typeName: 'envoy.extensions.filters.http.csrf.v3.CsrfPolicy',
    compile: compileCsrfFilter,
    compileRoute: compileCsrfRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.decompressor',
    typeName: 'envoy.extensions.filters.http.decompressor.v3.Decompressor',
    compile: compileDecompressorFilter,
    compileRoute: null,
  },
  {
    wellKnownName: 'envoy.filters.http.cors',
    typeName: 'envoy.extensions.filters.http.cors.v3.Cors',
    routeTypeName: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
    compile: compileCorsFilter,
    compileRoute: compileCorsRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.grpc_http1_bridge',
    typeName: 'envoy.extensions.filters.http.grpc_http1_bridge.v3.Config',
    compile: compileGrpcHttp1BridgeFilter,
    compileRoute: null,
  },
  {
    wellKnownName: 'envoy.filters.http.grpc_json_transcoder',
    typeName: 'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder',
    compile: compileGrpcJsonTranscoderFilter,
    compileRoute: compileGrpcJsonTranscoderRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.grpc_stats',
    typeName: 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
    compile: compileGrpcStatsFilter,
    compileRoute: null,
  },
  {
    wellKnownName: 'envoy.filters.http.grpc_web',
    typeName: 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
    compile: compileGrpcWebFilter,
    compileRoute: null,
  },
  {
    wellKnownName: 'envoy.filters.http.header_mutation',
    typeName: 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
    routeTypeName: 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute',
    compile: compileHeaderMutationFilter,
    compileRoute: compileHeaderMutationRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.dynamic_forward_proxy',
    typeName: 'envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig',
    routeTypeName: 'envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig',
    compile: compileDynamicForwardProxyFilter,
    compileRoute: compileDynamicForwardProxyRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.fault',
    typeName: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
    compile: compileFaultFilter,
    compileRoute: compileFaultRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.header_to_metadata',
    typeName: 'envoy.extensions.filters.http.header_to_metadata.v3.Config',
    compile: compileHeaderToMetadataFilter,
    compileRoute: compileHeaderToMetadataRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.health_check',
    typeName: 'envoy.extensions.filters.http.health_check.v3.HealthCheck',
    compile: compileHealthCheckFilter,
    compileRoute: null,
  },
  {
    wellKnownName: 'envoy.filters.http.local_ratelimit',
    typeName: 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
    compile: compileLocalRateLimitFilter,
    compileRoute: compileLocalRateLimitRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.ratelimit',
    typeName: 'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
    routeTypeName: 'envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute',
    compile: compileRateLimitFilter,
    compileRoute: compileRateLimitRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.set_filter_state',
    typeName: 'envoy.extensions.filters.http.set_filter_state.v3.Config',
    compile: compileSetFilterStateFilter,
    compileRoute: compileSetFilterStateRoute,
  },
  {
    wellKnownName: 'envoy.filters.http.set_metadata',
    typeName: 'envoy.extensions.filters.http.set_metadata.v3.Config',
    compile: compileSetMetadataFilter,
    compileRoute: null,
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
export function compileHttpFilters(configs: readonly HttpFilterConfig[], scope: HttpFilterScope): CompiledHttpFilters {
  const factories: FilterFactory[] = [];
  let router: RouterSettings | null = null;
  configs.forEach((config, index) => {
    inField(`http_filters[${index}]`, () => {
      if (router !== null) refuse(config.name, 'stands after the router, which must be the last filter');
      const typed = config.configType.case === 'typedConfig' ? filterConfigOf(config.configType.value) : null;
      if (typed?.typeName === ROUTER.typeName) {
        if (config.disabled) refuse(`${config.name}.disabled`, 'cannot be: a request ends at the router');
        router = compileRouterFilter(typed);
        return;
      }
      if (config.configType.case === 'configDiscovery') {
        factories.push(compileDiscovered(config, config.configType.value, scope));
        return;
      }
      const compiled = typed === null ? null : compileKnown(config.name, typed, !config.disabled, scope);
      if (compiled !== null) factories.push(compiled);
      else if (!config.isOptional) refuseUnknown(config.name, typed?.typeName ?? '');
    });
  });
  if (router === null) return refuse('http_filters', 'has no router filter at its end');
  return { factories, router };
}

/** Null for a type that this proxy does not know. */
function compileKnown(name: string, typed: FilterConfig, isOn: boolean, scope: HttpFilterScope): FilterFactory | null {
  const kind = KINDS.find(({ typeName }) => typeName === typed.typeName);
  return kind === undefined ? null : ofRoute(kind.compile(name, typed, scope), kind, isOn);
}

function compileDiscovered(
  { name, disabled }: HttpFilterConfig,
  source: ExtensionConfigSource,
  scope: HttpFilterScope,
): FilterFactory {
  const typeNames = new Set(source.typeUrls.map((url) => url.slice(url.lastIndexOf('/') + 1)));
  for (const typeName of typeNames) {
    if (!KINDS.some((kind) => kind.typeName === typeName)) refuseUnknown(name, typeName);
  }
  const compile = (config: Any): FilterFactory => {
    const typed = filterConfigOf(config);
    if (!typeNames.has(typed.typeName)) refuse(`"${name}"`, `${typed.typeName} is not among the type_urls`);
    return compileKnown(name, typed, !disabled, scope) ?? refuseUnknown(name, typed.typeName);
  };
  const factory = compileDiscoveredFilter(name, source, typeNames, compile, scope);
  return { ...factory, bind: (perRoute) => (isOff(perRoute, !disabled) ? null : factory.bind(perRoute)) };
}

/**
 * The type of a configuration that was discovered. Throws `invalid` for one that no connection manager could use: it is
 * compiled for one that nobody asks.
 */
export function checkHttpFilter(
  config: Any,
  ctx: ProxyContext,
  hooks: HttpFilterScope['hooks'],
): { readonly typeName: string } {
  const typed = filterConfigOf(config);
  const scope: HttpFilterScope = {
    ctx: { ...ctx, stats: new StatsRegistry() },
    hooks,
    bufferLimitBytes: 0,
    isInbound: false,
    statPrefix: '',
    noteRouteTable: () => undefined,
    noteExtension: () => undefined,
  };
  if (compileKnown('', typed, true, scope) === null) refuseUnknown('', typed.typeName);
  return typed;
}

/** Per-route configuration, compiled. It stands under a filter's name, which may belong to a filter of another kind. */
class RouteFilterConfig {
  readonly #kind: FilterKind;
  readonly #compiled: unknown;

  constructor(kind: FilterKind, compiled: unknown) {
    this.#kind = kind;
    this.#compiled = compiled;
  }

  /** What a filter of `kind` takes of a level's entry: that of another kind is none (as in Envoy). */
  static for(kind: FilterKind, entry: unknown): unknown {
    return entry instanceof RouteFilterConfig && entry.#kind === kind ? entry.#compiled : undefined;
  }
}

/** The filter as routes have it. Off by default, it runs only where a route has an entry for it. */
function ofRoute(factory: FilterFactory, kind: FilterKind, isOn: boolean): FilterFactory {
  return {
    ...factory,
    bind(perRoute) {
      return isOff(perRoute, isOn) ? null : factory.bind(RouteFilterConfig.for(kind, perRoute));
    },
  };
}

function isOff(perRoute: unknown, isOn: boolean): boolean {
  return perRoute === DISABLED || (perRoute === undefined && !isOn);
}

const KIND_BY_ROUTE_TYPE = new Map(KINDS.map((kind) => [kind.routeTypeName ?? kind.typeName, kind]));

/**
 * Compiles `typed_per_filter_config` entries of a route, virtual host or table. `outer` is what the level around it
 * has for this filter, undefined for nothing. Throws `invalid`.
 */
export function perFilterCompiler(
  ctx: Pick<ProxyContext, 'stats' | 'clock' | 'random' | 'surroundings'>,
): (filterName: string, config: Any, outer: unknown) => unknown {
  return function compile(filterName, config, outer): unknown {
    const switched = unpackValid(config, FilterConfigSchema);
    if (switched !== undefined) {
      if (switched.disabled) return DISABLED;
      if (switched.config === undefined) return ENABLED;
      return compile(filterName, switched.config, outer);
    }
    const typed = filterConfigOf(config);
    const kind = KIND_BY_ROUTE_TYPE.get(typed.typeName);
    if (kind === undefined || kind.compileRoute === null) {
      return refuse(`filter "${filterName}"`, `per-route configuration of type ${typed.typeName} is not supported`);
    }
    return new RouteFilterConfig(kind, kind.compileRoute(typed, { ctx, outer: RouteFilterConfig.for(kind, outer) }));
  };
}

function refuseUnknown(name: string, typeName: string): never {
  const known = [...KINDS, ROUTER].map((kind) => kind.wellKnownName).join(', ');
  return refuse(`"${name}"`, `${typeName || 'a filter without typed_config'} is not supported`, `Supported: ${known}.`);
}
