import { type Any, type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import { limit } from '@flotilla/runtime';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import { compileLocalReplies } from './local-reply-mapping.ts';
import { compileHeaderCase } from '../protocol/header-case.ts';
import { defaultLimits } from '@flotilla/http-codec';
import { compileCidrListMatcher } from '@flotilla/match';
import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManagerSchema,
} from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { UuidRequestIdConfigSchema } from '@flotilla/wire/envoy/extensions/request_id/uuid/v3/uuid_pb.js';
import { fetchTimeoutMs, requireAds } from '../base/config-source.ts';
import type { NeededResource } from '../ports/needed-resources.ts';
import type { NetworkFilter } from '../ports/accepted-connection.ts';
import { openHttpConnection } from './sessions/http-connection.ts';
import type { NetworkFilterScope } from '../ports/network-filter-scope.ts';
import type { ClientCertSettings } from './client-cert-header.ts';
import { compileHttp2Settings } from '../protocol/http2/settings.ts';
import { FilterChainPlans } from './filter-plan.ts';
import { compileHttpFilters } from './filters/registry.ts';
import { routeOptions } from './route-options.ts';
import { type EdgeSettings, managerStats, type ManagerSettings, type PathSettings } from './manager-settings.ts';
import { compileRouteTable, type RouteTable } from '@flotilla/route';

// Envoy has none; an edge without one is held open by half a head.
const EDGE_HEADERS_TIMEOUT_MS = limit({
  name: 'proxy.edge-request-headers',
  what: 'time for the head of a request, from its first byte, where `use_remote_address` says that strangers call',
  default: 10_000,
  unit: 'ms',
  setting: '`request_headers_timeout`',
  past: '408, and the connection is closed',
});
const DEFAULT_IDLE_TIMEOUT_MS = limit({
  name: 'proxy.idle-connection',
  what: 'downstream connection without a request (as Envoy)',
  default: 3_600_000,
  unit: 'ms',
  setting: '`common_http_protocol_options.idle_timeout`',
  past: 'closed',
});
const DEFAULT_STREAM_IDLE_TIMEOUT_MS = limit({
  name: 'proxy.idle-stream',
  what: 'request without progress (as Envoy)',
  default: 300_000,
  unit: 'ms',
  setting: '`stream_idle_timeout`',
  past: '408 or a reset, flag SI',
});
const DEFAULT_DELAYED_CLOSE_MS = 1_000;
const DEFAULT_DRAIN_TIMEOUT_MS = 5_000;
const DEFAULT_MAX_REQUEST_HEADERS_KB = limit({
  name: 'proxy.request-headers-kib',
  what: 'header of one request, in KiB (as Envoy)',
  default: 60,
  unit: 'count',
  setting: '`max_request_headers_kb`',
  past: '431, and the connection is closed',
});
const MAX_REQUEST_HEADERS_KB = 8_192;

/** Compiles an HTTP connection manager. Throws `invalid`, naming the field. */
export function compileConnectionManager(any: Any, scope: NetworkFilterScope): NetworkFilter {
  const proto = unpackValid(any, HttpConnectionManagerSchema);
  if (proto === undefined) return refuse('http_connection_manager', 'cannot be decoded');
  requireUuid(proto.requestIdExtension?.typedConfig);
  const routes = compileRouteSource(proto, scope);
  const settings = compileSettings(proto, scope, routes.table);
  return {
    neededRoutes: routes.needed,
    clusterNames: [],
    open: (accepted, onClose) => openHttpConnection(accepted, settings, onClose),
  };
}

/** Ids of requests are UUIDs. */
function requireUuid(extension: Any | undefined): void {
  if (extension === undefined || unpackValid(extension, UuidRequestIdConfigSchema) !== undefined) return;
  refuse('request_id_extension', `${extension.typeUrl} is not supported`, 'Use UuidRequestIdConfig.');
}

interface RouteSource {
  readonly needed: ReadonlyMap<string, NeededResource>;
  readonly table: () => RouteTable | null;
}

function compileRouteSource(
  { routeSpecifier, statPrefix }: HttpConnectionManager,
  scope: NetworkFilterScope,
): RouteSource {
  const { ctx } = scope;
  switch (routeSpecifier.case) {
    case 'rds': {
      const { routeConfigName, configSource } = routeSpecifier.value;
      if (routeConfigName === '') refuse('rds.route_config_name', 'is empty');
      requireAds(configSource, 'rds.config_source');
      const need = {
        statPrefix: `http.${statPrefix}.rds.${routeConfigName}`,
        fetchTimeoutMs: fetchTimeoutMs(configSource),
      };
      return {
        needed: new Map([[routeConfigName, need]]),
        table: () => ctx.routes.get(routeConfigName),
      };
    }
    case 'routeConfig': {
      const config = routeSpecifier.value;
      const table = inField('route_config', () => compileRouteTable(config, routeOptions(ctx)));
      scope.noteRouteTable(table);
      return { needed: new Map(), table: () => table };
    }
    case 'scopedRoutes':
      return refuse('scoped_routes', 'is not supported');
    case undefined:
      return refuse('route_specifier', 'is missing: set rds or route_config');
  }
}

function compileSettings(
  proto: HttpConnectionManager,
  scope: NetworkFilterScope,
  routes: () => RouteTable | null,
): ManagerSettings {
  const { ctx, hooks } = scope;
  const filters = compileHttpFilters(proto.httpFilters, { ...scope, statPrefix: `http.${proto.statPrefix}.` });
  const common = proto.commonHttpProtocolOptions;
  const http1 = proto.httpProtocolOptions;
  const headerKb = proto.maxRequestHeadersKb ?? DEFAULT_MAX_REQUEST_HEADERS_KB;
  if (headerKb === 0 || headerKb > MAX_REQUEST_HEADERS_KB) refuse('max_request_headers_kb', 'is not in 1 to 8192');
  const accessLogs = inField('access_log', () => hooks.compileAccessLogs(proto.accessLog));
  return {
    ctx,
    routes,
    plans: new FilterChainPlans(filters.factories),
    router: filters.router,
    records: [...filters.factories.map(({ record }) => record).filter((record) => record !== null), ...accessLogs],
    edge: compileEdge(proto),
    paths: compilePaths(proto),
    clientCert: compileClientCert(proto),
    server: { name: proto.serverName || 'envoy', mode: SERVER_MODES[proto.serverHeaderTransformation] },
    upgrades: compileUpgrades(proto),
    stripPort:
      proto.stripPortMode.case === 'stripAnyHostPort' ? 'any' : proto.stripMatchingHostPort ? 'matching' : 'none',
    stripTrailingDot: proto.stripTrailingHostDot,
    underscores: (['allow', 'reject', 'drop'] as const)[common?.headersWithUnderscoresAction ?? 0],
    codec: CODECS[proto.codecType],
    http2: compileHttp2Settings(proto.http2ProtocolOptions, 'http2_protocol_options'),
    limits: {
      ...defaultLimits,
      maxHeadBytes: headerKb * 1024,
      maxTargetBytes: headerKb * 1024,
      maxFields: common?.maxHeadersCount ?? defaultLimits.maxFields,
    },
    localReplies: compileLocalReplies(proto.localReplyConfig, ctx),
    headerCase: compileHeaderCase(http1, 'http_protocol_options'),
    acceptHttp10: http1?.acceptHttp10 === true,
    proxiesContinue: proto.proxy100Continue,
    defaultHostForHttp10: http1?.defaultHostForHttp10 ?? '',
    forwardsTrailers: http1?.enableTrailers === true,
    allowsAnyMethod: http1?.allowCustomMethods === true,
    idleTimeoutMs: milliseconds(common?.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
    streamIdleTimeoutMs: milliseconds(proto.streamIdleTimeout, DEFAULT_STREAM_IDLE_TIMEOUT_MS),
    requestTimeoutMs: milliseconds(proto.requestTimeout, 0),
    requestHeadersTimeoutMs: milliseconds(
      proto.requestHeadersTimeout,
      proto.useRemoteAddress === true ? EDGE_HEADERS_TIMEOUT_MS : 0,
    ),
    maxConnectionDurationMs: milliseconds(common?.maxConnectionDuration, 0),
    maxStreamDurationMs: milliseconds(common?.maxStreamDuration, 0),
    delayedCloseTimeoutMs: milliseconds(proto.delayedCloseTimeout, DEFAULT_DELAYED_CLOSE_MS),
    drainTimeoutMs: milliseconds(proto.drainTimeout, DEFAULT_DRAIN_TIMEOUT_MS),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
    bufferLimitBytes: scope.bufferLimitBytes,
    stats: managerStats(ctx, proto.statPrefix),
  };
}

const CODECS = {
  [CodecType.AUTO]: 'auto',
  [CodecType.HTTP1]: 'http1',
  [CodecType.HTTP2]: 'http2',
  // Refused before.
  [CodecType.HTTP3]: 'http2',
} as const;

const SERVER_MODES = {
  [ServerHeader.OVERWRITE]: 'overwrite',
  [ServerHeader.APPEND_IF_ABSENT]: 'append-if-absent',
  [ServerHeader.PASS_THROUGH]: 'pass-through',
} as const;

const CLIENT_CERT_MODES = {
  [ForwardClientCert.SANITIZE]: 'sanitize',
  [ForwardClientCert.FORWARD_ONLY]: 'forward-only',
  [ForwardClientCert.APPEND_FORWARD]: 'append-forward',
  [ForwardClientCert.SANITIZE_SET]: 'sanitize-set',
  [ForwardClientCert.ALWAYS_FORWARD_ONLY]: 'always-forward-only',
} as const;

function compileClientCert(proto: HttpConnectionManager): ClientCertSettings {
  const details = proto.setCurrentClientCertDetails;
  return {
    mode: CLIENT_CERT_MODES[proto.forwardClientCertDetails],
    subject: details?.subject === true,
    cert: details?.cert === true,
    dns: details?.dns === true,
    uri: details?.uri === true,
  };
}

function compileEdge(proto: HttpConnectionManager): EdgeSettings {
  const ranges = proto.internalAddressConfig?.cidrRanges ?? [];
  const overwrite = proto.schemeHeaderTransformation?.transformation;
  return {
    useRemoteAddress: proto.useRemoteAddress === true,
    xffTrustedHops: proto.xffNumTrustedHops,
    skipXffAppend: proto.skipXffAppend,
    appendForwardedPort: proto.appendXForwardedPort,
    // Without a list no address is trusted (Envoy since 1.33).
    isInternalAddress: inField('internal_address_config.cidr_ranges', () =>
      compileCidrListMatcher(
        ranges.map(({ addressPrefix, prefixLen }) => ({ address: addressPrefix, prefixLength: prefixLen ?? 0 })),
      ),
    ),
    via: proto.via,
    generateRequestId: proto.generateRequestId !== false,
    preserveExternalRequestId: proto.preserveExternalRequestId,
    alwaysSetRequestIdInResponse: proto.alwaysSetRequestIdInResponse,
    schemeToOverwrite: overwrite?.case === 'schemeToOverwrite' ? overwrite.value : null,
  };
}

function compilePaths(proto: HttpConnectionManager): PathSettings {
  const actions = {
    [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT]: 'keep',
    [EscapedSlashes.KEEP_UNCHANGED]: 'keep',
    [EscapedSlashes.REJECT_REQUEST]: 'reject',
    [EscapedSlashes.UNESCAPE_AND_REDIRECT]: 'redirect',
    [EscapedSlashes.UNESCAPE_AND_FORWARD]: 'unescape',
  } as const;
  return {
    normalize: proto.normalizePath === true,
    mergeSlashes: proto.mergeSlashes,
    escapedSlashes: actions[proto.pathWithEscapedSlashesAction],
  };
}

function compileUpgrades(proto: HttpConnectionManager): ReadonlySet<string> {
  const types = new Set<string>();
  proto.upgradeConfigs.forEach((config, index) => {
    const path = `upgrade_configs[${index}]`;
    const type = config.upgradeType.toLowerCase();
    if (type === '') refuse(`${path}.upgrade_type`, 'is empty');
    if (config.enabled !== false) types.add(type);
  });
  return types;
}

function milliseconds(duration: Duration | undefined, absent: number): number {
  return duration === undefined ? absent : durationMs(duration);
}
