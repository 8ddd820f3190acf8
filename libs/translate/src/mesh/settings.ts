import { create, type JsonObject } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { isObject } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import {
  type MeshConfig,
  MeshConfig_AccessLogEncoding as LogEncoding,
  MeshConfig_OutboundTrafficPolicy_Mode as OutboundMode,
} from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import {
  type LocalityLoadBalancerSetting,
  LocalityLoadBalancerSettingSchema,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';

/** What holds for the whole mesh: another object when any of it changes. */
export interface MeshSettings {
  readonly config: MeshDefaults;
  readonly trustDomain: string;
  /** Suffix of Kubernetes service names, `cluster.local`. */
  readonly domainSuffix: string;
  /** Resources of this namespace count for every namespace. */
  readonly rootNamespace: string;
  /** Name of the cluster whose configuration this is. */
  readonly clusterId: string;
}

/** MeshConfig with Istio's defaults in the place of what is not written. */
export interface MeshDefaults {
  readonly trustDomainAliases: readonly string[];
  readonly proxyListenPort: number;
  readonly proxyInboundListenPort: number;
  readonly connectTimeoutMs: number;
  readonly dnsRefreshRateMs: number;
  /** 0: as long as it takes. */
  readonly protocolDetectionTimeoutMs: number;
  readonly outboundTrafficPolicy: 'REGISTRY_ONLY' | 'ALLOW_ANY';
  /** Empty means everywhere. */
  readonly defaultServiceExportTo: readonly string[];
  readonly defaultVirtualServiceExportTo: readonly string[];
  readonly defaultDestinationRuleExportTo: readonly string[];
  readonly enableAutoMtls: boolean;
  /** "" for no access log. */
  readonly accessLogFile: string;
  /** A format string, or the fields of a JSON object; `null` for Istio's default of the encoding. */
  readonly accessLogFormat: string | JsonObject | null;
  readonly accessLogEncoding: 'TEXT' | 'JSON';
  /** For destinations without their own. */
  readonly localityLbSetting: LocalityLoadBalancerSetting;
  readonly defaultHttpRetryPolicy: {
    readonly attempts: number;
    readonly retryOn: string;
    readonly perTryTimeoutMs: number | null;
    readonly backoffMs: number | null;
  };
}

/**
 * What surely did not reach the application may be tried again, twice: Istio's conditions, and what a connection has lost
 * that broke before an answer, where that is safe.
 */
const DEFAULT_RETRY = {
  attempts: 2,
  retryOn: 'connect-failure,refused-stream,unavailable,cancelled,reset-before-request,reset-idempotent',
};
export const DEFAULT_ROOT_NAMESPACE = 'istio-system';
/** Istio's name for the only cluster. */
export const DEFAULT_CLUSTER_ID = 'Kubernetes';

/** Throws `invalid` for a format of JSON access logs that is no JSON object. */
export function meshDefaults(config: MeshConfig): MeshDefaults {
  const retries = config.defaultHttpRetryPolicy;
  return Object.freeze({
    trustDomainAliases: config.trustDomainAliases,
    proxyListenPort: config.proxyListenPort || 15_001,
    proxyInboundListenPort: config.proxyInboundListenPort || 15_006,
    connectTimeoutMs: config.connectTimeout === undefined ? 10_000 : durationMs(config.connectTimeout),
    dnsRefreshRateMs: config.dnsRefreshRate === undefined ? 60_000 : durationMs(config.dnsRefreshRate),
    protocolDetectionTimeoutMs:
      config.protocolDetectionTimeout === undefined ? 0 : durationMs(config.protocolDetectionTimeout),
    // A policy without a mode is REGISTRY_ONLY, the zero of its enum; no policy at all is ALLOW_ANY. As in Istio.
    outboundTrafficPolicy:
      config.outboundTrafficPolicy?.mode === OutboundMode.REGISTRY_ONLY ? 'REGISTRY_ONLY' : 'ALLOW_ANY',
    defaultServiceExportTo: config.defaultServiceExportTo,
    defaultVirtualServiceExportTo: config.defaultVirtualServiceExportTo,
    defaultDestinationRuleExportTo: config.defaultDestinationRuleExportTo,
    enableAutoMtls: config.enableAutoMtls ?? true,
    accessLogFile: config.accessLogFile,
    accessLogFormat: accessLogFormat(config),
    localityLbSetting: config.localityLbSetting ?? create(LocalityLoadBalancerSettingSchema),
    accessLogEncoding: config.accessLogEncoding === LogEncoding.JSON ? 'JSON' : 'TEXT',
    defaultHttpRetryPolicy: {
      attempts: retries?.attempts ?? DEFAULT_RETRY.attempts,
      retryOn: retries?.retryOn || DEFAULT_RETRY.retryOn,
      perTryTimeoutMs: retries?.perTryTimeout === undefined ? null : durationMs(retries.perTryTimeout),
      backoffMs: retries?.backoff === undefined ? null : durationMs(retries.backoff),
    },
  });
}

function accessLogFormat(config: MeshConfig): string | JsonObject | null {
  if (config.accessLogFormat === '') return null;
  if (config.accessLogEncoding !== LogEncoding.JSON) return config.accessLogFormat;
  const hint = 'With accessLogEncoding JSON write an object such as {"status": "%RESPONSE_CODE%"}.';
  const field = 'accessLogFormat of the mesh configuration';
  let value: unknown;
  try {
    value = JSON.parse(config.accessLogFormat);
  } catch (error) {
    throw new FlotillaError('invalid', `${field} is not JSON: ${String(error)}`, { cause: error, hint });
  }
  if (isObject(value)) return value;
  throw new FlotillaError('invalid', `${field} is not a JSON object`, { hint });
}
