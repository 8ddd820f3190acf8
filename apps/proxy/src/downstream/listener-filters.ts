import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { ListenerFilter } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { unpackValid } from '@flotilla/envoy';
import { TlsInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import { limit } from '@flotilla/runtime';
import { inField, refuse } from '@flotilla/envoy';
import type { StatsRegistry } from '../base/stats.ts';
import { compilePortPredicate, type PortPredicate } from './filter-disabled.ts';
import { compileProxyProtocol, type ProxyProtocolSettings } from './proxy-header.ts';
import type { SniffSettings } from './sniff.ts';

export interface ListenerFilters {
  readonly sniffOf: (destinationPort: number) => SniffSettings | null;
  readonly readsOriginalDestination: boolean;
  /** Read before anything is sniffed. */
  readonly proxyProtocol: ProxyProtocolSettings | null;
}

/** Envoy's default of `listener_filters_timeout`. */
const DEFAULT_TIMEOUT_MS = limit({
  name: 'proxy.listener-filters',
  what: 'time for the first bytes of a connection, where they are waited for (as Envoy)',
  default: 15_000,
  unit: 'ms',
  setting: '`listener_filters_timeout`',
  past: 'the connection is closed, or goes on unsniffed',
});

// Filters are told by the type of their configuration, or by their well-known name where they have none.
type Kind = 'tls' | 'http' | 'original-dst' | 'proxy-protocol';

const KINDS: Readonly<Record<string, Kind>> = {
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': 'tls',
  'envoy.filters.listener.tls_inspector': 'tls',
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': 'http',
  'envoy.filters.listener.http_inspector': 'http',
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': 'original-dst',
  'envoy.filters.listener.original_dst': 'original-dst',
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': 'proxy-protocol',
  'envoy.filters.listener.proxy_protocol': 'proxy-protocol',
};

/** Compiles `listener_filters`. Throws `invalid` for one that is not supported. */
export function compileListenerFilters(proto: Listener, stats: StatsRegistry): ListenerFilters {
  const timeout = proto.listenerFiltersTimeout;
  const timeoutMs = timeout === undefined ? DEFAULT_TIMEOUT_MS : durationMs(timeout);
  const filters = proto.listenerFilters.map((filter, index) => {
    const path = `listener_filters[${index}]`;
    const kind = kindOf(filter, path);
    const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    // Of the others but the PROXY protocol, none has a field.
    if (kind === 'tls' && any !== undefined) inField(path, () => unpackValid(any, TlsInspectorSchema));
    return {
      kind,
      isDisabled: compilePortPredicate(filter.filterDisabled, path),
      proxyProtocol:
        kind === 'proxy-protocol' ? inField(path, () => compileProxyProtocol(any, timeoutMs, stats)) : null,
    };
  });
  const settings = (tls: boolean, http: boolean): SniffSettings | null =>
    tls || http ? { tls, http, timeoutMs, continueOnTimeout: proto.continueOnListenerFiltersTimeout } : null;
  const disabling = (kind: Kind): readonly PortPredicate[] =>
    filters.filter((filter) => filter.kind === kind).map(({ isDisabled }) => isDisabled);
  return {
    sniffOf: compileSniffing(disabling('tls'), disabling('http'), settings),
    readsOriginalDestination: filters.some(({ kind }) => kind === 'original-dst'),
    proxyProtocol: filters.find(({ proxyProtocol }) => proxyProtocol !== null)?.proxyProtocol ?? null,
  };
}

/** An inspector looks at the ports at which it is there and not disabled. */
function compileSniffing(
  tls: readonly PortPredicate[],
  http: readonly PortPredicate[],
  settings: (tls: boolean, http: boolean) => SniffSettings | null,
): (destinationPort: number) => SniffSettings | null {
  const isAlways = [...tls, ...http].every((isDisabled) => isDisabled === null);
  const constant = settings(tls.length > 0, http.length > 0);
  if (isAlways) return () => constant;
  const byKinds = [settings(false, false), settings(false, true), settings(true, false), settings(true, true)];
  const isOn = (filters: readonly PortPredicate[], port: number) =>
    filters.some((isDisabled) => isDisabled === null || !isDisabled(port));
  return (port) => byKinds[(isOn(tls, port) ? 2 : 0) + (isOn(http, port) ? 1 : 0)] ?? null;
}

function kindOf(filter: ListenerFilter, path: string): Kind {
  const typeUrl = filter.configType.case === 'typedConfig' ? filter.configType.value.typeUrl : '';
  const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  const kind = KINDS[type === '' ? filter.name : type];
  if (kind === undefined) return refuse(path, `"${filter.name}" is not supported (${type || 'no typed_config'})`);
  if (filter.filterDisabled !== undefined && (kind === 'original-dst' || kind === 'proxy-protocol')) {
    refuse(`${path}.filter_disabled`, 'is not supported for this filter: only inspectors can be left out by port');
  }
  return kind;
}
