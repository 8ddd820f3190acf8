import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { ListenerFilter } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { refuse, refuseWhen } from '../http/route/field.ts';
import type { SniffSettings } from './sniff.ts';

export interface ListenerFilters {
  readonly sniff: SniffSettings | null;
  readonly readsOriginalDestination: boolean;
}

/** Envoy's default of `listener_filters_timeout`. */
const DEFAULT_TIMEOUT_MS = 15_000;

// Filters are told by the type of their configuration, or by their well-known name where they have none.
const KINDS: Readonly<Record<string, 'tls' | 'http' | 'original-dst'>> = {
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': 'tls',
  'envoy.filters.listener.tls_inspector': 'tls',
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': 'http',
  'envoy.filters.listener.http_inspector': 'http',
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': 'original-dst',
  'envoy.filters.listener.original_dst': 'original-dst',
};

/** Compiles `listener_filters`. Throws `invalid` for one that is not supported. */
export function compileListenerFilters(proto: Listener): ListenerFilters {
  const kinds = new Set(proto.listenerFilters.map((filter, index) => kindOf(filter, `listener_filters[${index}]`)));
  const sniffs = kinds.has('tls') || kinds.has('http');
  const timeout = proto.listenerFiltersTimeout;
  return {
    sniff: sniffs
      ? {
          tls: kinds.has('tls'),
          http: kinds.has('http'),
          timeoutMs: timeout === undefined ? DEFAULT_TIMEOUT_MS : durationMs(timeout),
          continueOnTimeout: proto.continueOnListenerFiltersTimeout,
        }
      : null,
    readsOriginalDestination: kinds.has('original-dst'),
  };
}

function kindOf(filter: ListenerFilter, path: string): 'tls' | 'http' | 'original-dst' {
  refuseWhen(filter.configType.case === 'configDiscovery', `${path}.config_discovery`);
  const typeUrl = filter.configType.case === 'typedConfig' ? filter.configType.value.typeUrl : '';
  const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  const kind = KINDS[type === '' ? filter.name : type];
  if (kind === undefined) return refuse(path, `"${filter.name}" is not supported (${type || 'no typed_config'})`);
  // A predicate can only switch the inspection off for some ports (server-first protocols): with it inspecting
  // more than asked would stall them.
  if (filter.filterDisabled !== undefined && kind !== 'original-dst') refuseWhen(true, `${path}.filter_disabled`);
  return kind;
}
