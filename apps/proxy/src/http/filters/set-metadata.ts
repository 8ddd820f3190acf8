import type { JsonObject } from '@bufbuild/protobuf';
import { ConfigSchema } from '@flotilla/wire/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb.js';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import { mergeMetadata } from './dynamic-metadata.ts';
import { type FilterConfig, messageOf } from './filter-config.ts';

interface Entry {
  readonly namespace: string;
  readonly value: JsonObject;
  readonly overwrites: boolean;
}

/** Notes fixed metadata down on each request. */
export function compileSetMetadataFilter(name: string, typed: FilterConfig): FilterFactory {
  const proto = messageOf(typed, ConfigSchema);
  const entries = proto.metadata.map(({ metadataNamespace, allowOverwrite, value }, index): Entry => {
    const field = `metadata[${index}]`;
    if (metadataNamespace === '') refuse(`${field}.metadata_namespace`, 'is empty');
    return { namespace: metadataNamespace, value: value ?? {}, overwrites: allowOverwrite };
  });
  // The older pair of fields adds to what is there.
  if (proto.metadataNamespace !== '') {
    entries.unshift({ namespace: proto.metadataNamespace, value: proto.value ?? {}, overwrites: true });
  }
  const filter = new SetMetadataFilter(entries);
  return { name, record: null, bind: () => () => filter };
}

/** Holds no state of a request: one object serves all. */
class SetMetadataFilter implements HttpFilter {
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  onRequest({ info }: FilterStream): FilterVerdict {
    for (const { namespace, value, overwrites } of this.#entries) {
      const isThere = info.dynamicMetadata?.has(namespace) === true;
      if (!isThere || overwrites) mergeMetadata(info, namespace, value);
    }
    return 'continue';
  }
}
