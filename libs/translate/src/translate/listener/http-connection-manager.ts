import type { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { ApiVersion } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManagerSchema,
} from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import { accessLogs } from '../access-log/access-log.ts';
import type { Direction } from '../http-filters/http-filter.ts';
import type { ProxyFilters } from '../http-filters/proxy-filters.ts';
import { limit } from '@flotilla/runtime';
import { marksUnreached } from '../unreached.ts';
import { type Init, milliseconds, typed } from '../protobuf.ts';
import type { NetworkFilter } from './tcp-proxy.ts';

type ManagerInit = Init<typeof HttpConnectionManagerSchema>;

export interface ConnectionManager {
  readonly direction: Direction;
  readonly statPrefix: string;
  /** Routes by name over RDS, or written out. */
  readonly routes: { readonly rds: string } | { readonly inline: Init<typeof RouteConfigurationSchema> };
  readonly filters: ProxyFilters;
  readonly mesh: MeshSettings;
  /** The connection came over TLS that this listener ended. */
  readonly isTls: boolean;
}

const HEADERS_TIMEOUT_MS = limit({
  name: 'gateway.request-headers',
  what: 'time for the head of a request to a gateway to arrive, from its first byte',
  default: 10_000,
  unit: 'ms',
  past: '408, and the connection is closed',
});

/** An HTTP connection manager as Istio sets it up for this direction. */
export function connectionManager(manager: ConnectionManager): NetworkFilter {
  const { direction, mesh } = manager;
  return {
    name: 'envoy.filters.network.http_connection_manager',
    configType: {
      case: 'typedConfig',
      value: typed(HttpConnectionManagerSchema, {
        statPrefix: manager.statPrefix,
        ...routeSpecifier(manager),
        httpFilters: manager.filters.manager(direction),
        accessLog: accessLogs(mesh),
        upgradeConfigs: [{ upgradeType: 'websocket' }],
        streamIdleTimeout: milliseconds(0),
        serverName: 'istio-envoy',
        // Only a gateway faces clients whose word about themselves is not to be taken.
        useRemoteAddress: direction === 'gateway',
        // Nor are they waited for: whoever sends half a head and no more holds a connection for this long.
        ...(direction === 'gateway' ? { requestHeadersTimeout: milliseconds(HEADERS_TIMEOUT_MS) } : {}),
        ...clientCertificate(direction, manager.isTls),
        ...(direction === 'inbound' ? { localReplyConfig: marksUnreached() } : {}),
        // Istio's default clean-up: RFC 3986 dot segments, escaped slashes as they are.
        normalizePath: true,
        pathWithEscapedSlashesAction: EscapedSlashes.KEEP_UNCHANGED,
      }),
    },
  };
}

function routeSpecifier({ routes }: ConnectionManager): ManagerInit {
  if ('inline' in routes) return { routeSpecifier: { case: 'routeConfig', value: routes.inline } };
  return {
    routeSpecifier: {
      case: 'rds',
      value: {
        routeConfigName: routes.rds,
        configSource: {
          resourceApiVersion: ApiVersion.V3,
          initialFetchTimeout: milliseconds(0),
          configSourceSpecifier: { case: 'ads', value: {} },
        },
      },
    },
  };
}

/** Who called is told onwards in x-forwarded-client-cert. */
function clientCertificate(direction: Direction, isTls: boolean): ManagerInit {
  const details = { subject: true, dns: true, uri: true };
  switch (direction) {
    case 'inbound':
      return isTls
        ? { forwardClientCertDetails: ForwardCert.APPEND_FORWARD, setCurrentClientCertDetails: details }
        : {};
    case 'gateway':
      return { forwardClientCertDetails: ForwardCert.SANITIZE_SET, setCurrentClientCertDetails: details };
    case 'outbound':
      return {};
  }
}
