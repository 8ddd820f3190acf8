import type { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { HttpProtocolOptionsSchema } from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import {
  type ConnectionPoolSettings,
  ConnectionPoolSettings_HTTPSettings_H2UpgradePolicy as UpgradePolicy,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { isHttpProtocol, type PortProtocol } from '@flotilla/model';
import { isHttp2 } from '../../registry/protocol.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { EffectivePolicy } from './policy.ts';
import { type Init, milliseconds, toMs, typed } from '../protobuf.ts';

type ClusterInit = Init<typeof ClusterSchema>;

const NO_LIMIT = 4_294_967_295;
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

type ConnectionPolicy = Pick<EffectivePolicy, 'connectionPool' | 'retryBudget'>;

/** Limits, keep-alive and timeouts of a cluster's connections. What is not set is not limited, as in Istio. */
export function connectionPool(policy: ConnectionPolicy | undefined, mesh: MeshSettings): ClusterInit {
  const { tcp, http } = policy?.connectionPool ?? {};
  const budget = policy?.retryBudget;
  const keepalive = tcp?.tcpKeepalive;
  return {
    connectTimeout: milliseconds(toMs(tcp?.connectTimeout) ?? mesh.config.connectTimeoutMs),
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: tcp?.maxConnections || NO_LIMIT,
          maxPendingRequests: http?.http1MaxPendingRequests || NO_LIMIT,
          maxRequests: http?.http2MaxRequests || NO_LIMIT,
          maxRetries: http?.maxRetries || NO_LIMIT,
          ...(budget === undefined
            ? {}
            : {
                retryBudget: {
                  budgetPercent: { value: budget.percent ?? 20 },
                  ...(budget.minRetryConcurrency === 0 ? {} : { minRetryConcurrency: budget.minRetryConcurrency }),
                },
              }),
          trackRemaining: true,
        },
      ],
    },
    ...(keepalive === undefined
      ? {}
      : {
          upstreamConnectionOptions: {
            tcpKeepalive: {
              ...(keepalive.probes === 0 ? {} : { keepaliveProbes: keepalive.probes }),
              ...seconds('keepaliveTime', toMs(keepalive.time)),
              ...seconds('keepaliveInterval', toMs(keepalive.interval)),
            },
          },
        }),
  };
}

function seconds<Name extends string>(name: Name, ms: number | null): { [key in Name]?: number } {
  // The key is the type parameter itself; a computed key widens to string.
  return ms === null ? {} : ({ [name]: Math.round(ms / 1000) } as { [key in Name]?: number });
}

/** HTTP version, idle time and stream limits, as the cluster's `HttpProtocolOptions`. */
export function httpOptions(
  protocol: PortProtocol,
  pool: ConnectionPoolSettings | undefined,
  /** TLS origination without a name of its own: ask for, and check, the name in the request's Host. */
  isSniFromHost = false,
): ClusterInit {
  const { tcp, http } = pool ?? {};
  const http2Options = {
    ...(http?.maxConcurrentStreams ? { maxConcurrentStreams: http.maxConcurrentStreams } : {}),
    ...(http?.http2KeepAlive === undefined
      ? {}
      : {
          connectionKeepalive: {
            ...(http.http2KeepAlive.interval === undefined ? {} : { interval: http.http2KeepAlive.interval }),
            ...(http.http2KeepAlive.timeout === undefined ? {} : { timeout: http.http2KeepAlive.timeout }),
          },
        }),
  };
  const common = {
    ...(http?.idleTimeout === undefined && tcp?.idleTimeout === undefined
      ? {}
      : { idleTimeout: http?.idleTimeout ?? tcp?.idleTimeout }),
    ...(http?.maxRequestsPerConnection ? { maxRequestsPerConnection: http.maxRequestsPerConnection } : {}),
    ...(tcp?.maxConnectionDuration === undefined ? {} : { maxConnectionDuration: tcp.maxConnectionDuration }),
  };
  const version = httpVersion(protocol, pool);
  if (version === null && Object.keys(common).length === 0 && !isSniFromHost) return {};
  return {
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: typed(HttpProtocolOptionsSchema, {
        commonHttpProtocolOptions: common,
        ...(isSniFromHost ? { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } } : {}),
        upstreamProtocolOptions:
          version === 'downstream'
            ? {
                case: 'useDownstreamProtocolConfig',
                value: { httpProtocolOptions: {}, http2ProtocolOptions: http2Options },
              }
            : {
                case: 'explicitHttpConfig',
                value: {
                  protocolConfig:
                    version === 'http2'
                      ? { case: 'http2ProtocolOptions', value: http2Options }
                      : { case: 'httpProtocolOptions', value: {} },
                },
              },
      }),
    },
  };
}

/** `null`: HTTP/1.1, which needs no options. */
export function httpVersion(
  protocol: PortProtocol,
  pool: ConnectionPoolSettings | undefined,
): 'http2' | 'downstream' | null {
  if (isHttp2(protocol)) return 'http2';
  if (protocol === 'auto') return 'downstream';
  if (!isHttpProtocol(protocol)) return null;
  if (pool?.http?.useClientProtocol === true) return 'downstream';
  return pool?.http?.h2UpgradePolicy === UpgradePolicy.UPGRADE ? 'http2' : null;
}
