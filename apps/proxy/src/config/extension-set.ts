import type { NeededExtension } from '../ports/needed-resources.ts';
import type { Any } from '@bufbuild/protobuf/wkt';
import { FlotillaError } from '@flotilla/runtime';
import type { TypedExtensionConfig } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { decodeExtension } from './decode-resource.ts';
import { createNamedSet, type NamedSet, type NamedSetOptions } from './named-set.ts';

export interface ExtensionSetOptions extends Pick<
  NamedSetOptions<unknown, unknown>,
  'stats' | 'clock' | 'onNames' | 'onArrived'
> {
  /** The name of the message's type, also of one that comes as JSON. Throws `invalid` for one that cannot be used. */
  readonly check: (config: Any) => { readonly typeName: string };
}

/** Configurations of filters by name, checked; each connection manager compiles its own filter of one. */
export interface ExtensionSet extends Omit<NamedSet<Any>, 'setNames'> {
  setNames(names: ReadonlyMap<string, NeededExtension>, keepMs: number): void;
}

export function createExtensionSet(options: ExtensionSetOptions): ExtensionSet {
  let wanted: ReadonlyMap<string, NeededExtension> = new Map();
  const set = createNamedSet<TypedExtensionConfig, Any>({
    ...options,
    decode: decodeExtension,
    keepsRemoved: false,
    compile({ name, typedConfig }) {
      if (typedConfig === undefined) throw new FlotillaError('invalid', 'typed_config: is missing');
      const { typeName } = options.check(typedConfig);
      const typeNames = wanted.get(name)?.typeNames;
      if (typeNames?.has(typeName) === false) {
        throw new FlotillaError('invalid', `typed_config: expected ${[...typeNames].join(' or ')}, found ${typeName}`);
      }
      return typedConfig;
    },
  });
  return {
    ...set,
    setNames(names, keepMs) {
      wanted = names;
      set.setNames(names, keepMs);
    },
  };
}
