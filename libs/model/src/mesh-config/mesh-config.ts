import { MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import {
  MeshConfig_AccessLogEncoding as AccessLogEncoding,
  MeshConfig_OutboundTrafficPolicy_Mode as OutboundMode,
} from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { decodeMessage } from '../decode/message.ts';
import type { Finding } from '../finding.ts';
import { toFinding } from '../finding.ts';
import { readDocuments } from '../yaml/read-documents.ts';
import { MESH_CONFIG_SUPPORT } from './support.ts';
import { meshConfigValueFaults } from './values.ts';

/** The settings of the whole mesh that this version honours, with Istio's defaults in the place of what is not written. */
export interface MeshSettings {
  readonly trustDomain: string;
  /** Other trust domains whose identities count as this mesh's. */
  readonly trustDomainAliases: readonly string[];
  /** Resources here apply to the whole mesh. */
  readonly rootNamespace: string;
  /** Port of the outbound listener under interception. */
  readonly proxyListenPort: number;
  /** Port of the inbound listener under interception. */
  readonly proxyInboundListenPort: number;
  /** TCP connections from proxy to proxy or to a service. */
  readonly connectTimeoutMs: number;
  readonly dnsRefreshRateMs: number;
  /** What happens to traffic for hosts that the mesh does not know. */
  readonly outboundTrafficPolicy: 'REGISTRY_ONLY' | 'ALLOW_ANY';
  readonly defaultServiceExportTo: readonly string[];
  readonly defaultVirtualServiceExportTo: readonly string[];
  readonly defaultDestinationRuleExportTo: readonly string[];
  /** Sidecars speak mutual TLS with sidecars unless a DestinationRule says otherwise. */
  readonly enableAutoMtls: boolean;
  /** Path of the access log, such as /dev/stdout; "" for none. */
  readonly accessLogFile: string;
  /** "" for Istio's default format. */
  readonly accessLogFormat: string;
  readonly accessLogEncoding: 'TEXT' | 'JSON';
  /** Retries of HTTP routes that name none. */
  readonly defaultHttpRetryPolicy: {
    readonly attempts: number;
    readonly retryOn: string;
    /** `null` leaves the route's timeout as the only bound. */
    readonly perTryTimeoutMs: number | null;
    /** `null` for the proxy's default, 25 ms. */
    readonly backoffMs: number | null;
  };
}

/** What a mesh without a configuration file has: Istio's defaults. */
export const DEFAULT_MESH_SETTINGS: MeshSettings = deepFreeze({
  trustDomain: 'cluster.local',
  trustDomainAliases: [],
  rootNamespace: 'istio-system',
  proxyListenPort: 15_001,
  proxyInboundListenPort: 15_006,
  connectTimeoutMs: 10_000,
  dnsRefreshRateMs: 60_000,
  outboundTrafficPolicy: 'ALLOW_ANY',
  defaultServiceExportTo: ['*'],
  defaultVirtualServiceExportTo: ['*'],
  defaultDestinationRuleExportTo: ['*'],
  enableAutoMtls: true,
  accessLogFile: '',
  accessLogFormat: '',
  accessLogEncoding: 'TEXT',
  defaultHttpRetryPolicy: {
    attempts: 2,
    retryOn: 'connect-failure,refused-stream,unavailable,cancelled',
    perTryTimeoutMs: null,
    backoffMs: null,
  },
});

export interface DecodedMeshConfig {
  /** `null` when there is an error among the findings. */
  readonly settings: MeshSettings | null;
  readonly findings: readonly Finding[];
}

/**
 * Reads a mesh configuration file: one YAML document with Istio's MeshConfig fields at its root. Unknown fields and
 * fields that this version does not honour are errors, unless the latter are written with Istio's default. An empty
 * file means the defaults. Never throws.
 */
export function decodeMeshConfig(text: string, source: string): DecodedMeshConfig {
  const { documents, findings } = readDocuments(text, source);
  if (findings.length > 0) return { settings: null, findings };
  const [document, second] = documents;
  if (document === undefined) return { settings: DEFAULT_MESH_SETTINGS, findings: [] };
  if (second !== undefined) {
    const message = 'a mesh configuration is one document, and here a second one begins';
    const finding = { severity: 'error', code: 'IST0106', resource: null, field: '', hint: '', message } as const;
    return { settings: null, findings: [{ ...finding, origin: second.origin }] };
  }
  const decoded = decodeMessage(MeshConfigSchema, document.value);
  const faults = [...decoded.faults, ...(decoded.ok ? MESH_CONFIG_SUPPORT.check(document.value, []) : [])];
  if (decoded.ok) faults.push(...meshConfigValueFaults(decoded.value));
  const all = faults.map((fault) => toFinding(fault, null, document));
  const isUsable = decoded.ok && all.every((finding) => finding.severity !== 'error');
  return { settings: isUsable ? resolve(decoded.value) : null, findings: all };
}

function resolve(config: MeshConfig): MeshSettings {
  const defaults = DEFAULT_MESH_SETTINGS;
  const retries = config.defaultHttpRetryPolicy;
  const outbound = config.outboundTrafficPolicy;
  return deepFreeze({
    trustDomain: config.trustDomain || defaults.trustDomain,
    trustDomainAliases: [...config.trustDomainAliases],
    rootNamespace: config.rootNamespace || defaults.rootNamespace,
    proxyListenPort: config.proxyListenPort || defaults.proxyListenPort,
    proxyInboundListenPort: config.proxyInboundListenPort || defaults.proxyInboundListenPort,
    connectTimeoutMs: config.connectTimeout ? durationMs(config.connectTimeout) : defaults.connectTimeoutMs,
    dnsRefreshRateMs: config.dnsRefreshRate ? durationMs(config.dnsRefreshRate) : defaults.dnsRefreshRateMs,
    // An empty policy is REGISTRY_ONLY, its enum's zero, while no policy at all is ALLOW_ANY: as in Istio.
    outboundTrafficPolicy: outbound?.mode === OutboundMode.REGISTRY_ONLY ? 'REGISTRY_ONLY' : 'ALLOW_ANY',
    defaultServiceExportTo: orDefault(config.defaultServiceExportTo, defaults.defaultServiceExportTo),
    defaultVirtualServiceExportTo: orDefault(
      config.defaultVirtualServiceExportTo,
      defaults.defaultVirtualServiceExportTo,
    ),
    defaultDestinationRuleExportTo: orDefault(
      config.defaultDestinationRuleExportTo,
      defaults.defaultDestinationRuleExportTo,
    ),
    enableAutoMtls: config.enableAutoMtls ?? defaults.enableAutoMtls,
    accessLogFile: config.accessLogFile,
    accessLogFormat: config.accessLogFormat,
    accessLogEncoding: config.accessLogEncoding === AccessLogEncoding.JSON ? 'JSON' : 'TEXT',
    defaultHttpRetryPolicy:
      retries === undefined
        ? defaults.defaultHttpRetryPolicy
        : {
            attempts: retries.attempts,
            retryOn: retries.retryOn || defaults.defaultHttpRetryPolicy.retryOn,
            perTryTimeoutMs: retries.perTryTimeout === undefined ? null : durationMs(retries.perTryTimeout),
            backoffMs: retries.backoff === undefined ? null : durationMs(retries.backoff),
          },
  });
}

function orDefault(written: readonly string[], standard: readonly string[]): readonly string[] {
  return written.length > 0 ? [...written] : standard;
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) deepFreeze(child);
  return Object.freeze(value);
}
