import type { Any } from '@bufbuild/protobuf/wkt';
import type { ExtensionConfigSource } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import { fetchTimeoutMs, requireAds } from '../../base/config-source.ts';
import { ResponseFlag } from '@flotilla/stream';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import type { LocalReply } from '../../ports/local-reply.ts';
import { inField, refuse } from '@flotilla/envoy';
import type { HttpFilterScope } from './filter-config.ts';

/** Compiles a filter's configuration, whatever its type. Throws `invalid`. */
type Compile = (config: Any) => FilterFactory;

/**
 * A filter whose configuration comes from the control plane under the filter's name (ECDS, `config_discovery`), and may
 * change at any time: a request keeps the one that it began with. Without any, and without a default, requests are
 * answered with 500, as in Envoy. Throws `invalid`.
 */
export function compileDiscoveredFilter(
  name: string,
  source: ExtensionConfigSource,
  typeNames: ReadonlySet<string>,
  compile: Compile,
  scope: HttpFilterScope,
): FilterFactory {
  requireAds(source.configSource, 'config_discovery.config_source');
  if (typeNames.size === 0) refuse('config_discovery.type_urls', 'is empty');
  const { defaultConfig, applyDefaultConfigWithoutWarming } = source;
  if (applyDefaultConfigWithoutWarming && defaultConfig === undefined) {
    refuse('config_discovery.default_config', 'is missing, and shall be applied');
  }
  const fallback =
    defaultConfig === undefined ? null : inField('config_discovery.default_config', () => compile(defaultConfig));
  scope.noteExtension(name, {
    statPrefix: `extension_config_discovery.http_filter.${name}`,
    fetchTimeoutMs: applyDefaultConfigWithoutWarming ? null : fetchTimeoutMs(source.configSource),
    typeNames,
  });
  return new DiscoveredFilter(name, fallback ?? missing(name), compile, scope);
}

class DiscoveredFilter implements FilterFactory {
  readonly name: string;
  readonly #fallback: FilterFactory;
  readonly #compile: Compile;
  readonly #scope: HttpFilterScope;
  #config: Any | null = null;
  #compiled: FilterFactory;

  constructor(name: string, fallback: FilterFactory, compile: Compile, scope: HttpFilterScope) {
    this.name = name;
    this.#fallback = fallback;
    this.#compile = compile;
    this.#scope = scope;
    this.#compiled = fallback;
  }

  readonly record: FilterFactory['record'] = (info) => this.#present().record?.(info);

  bind(perRoute: unknown): () => HttpFilter {
    let bound: FilterFactory | null = null;
    let open: (() => HttpFilter) | null = null;
    return () => {
      const present = this.#present();
      if (bound !== present) {
        bound = present;
        open = present.bind(perRoute);
      }
      return open === null ? IDLE : open();
    };
  }

  /** The filter by the configuration that is in force now. */
  #present(): FilterFactory {
    const config = this.#scope.ctx.extensions.get(this.name);
    if (config === this.#config) return this.#compiled;
    this.#config = config;
    try {
      this.#compiled = config === null ? this.#fallback : this.#compile(config);
    } catch (error) {
      // It was checked when it came, so this is a fault of ours: what ran before goes on.
      this.#scope.ctx.logger.error('a discovered filter cannot be used', { filter: this.name, error });
    }
    return this.#compiled;
  }
}

/** Does nothing. */
const IDLE: HttpFilter = {};

const notFound: LocalReply = {
  status: 500,
  body: '',
  details: '',
  flags: ResponseFlag.NoFilterConfigFound,
  headers: null,
};

const REFUSING: HttpFilter = {
  onRequest(stream: FilterStream): FilterVerdict {
    stream.sendLocalReply(notFound);
    return 'stop';
  },
};

function missing(name: string): FilterFactory {
  return { name, record: null, bind: () => () => REFUSING };
}
