import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import type { Message } from '@bufbuild/protobuf';
import { TrafficExtensionSchema } from '@flotilla/wire/istio/extensions/v1alpha1/traffic_extension_pb.js';
import type { TrafficExtension } from '@flotilla/wire/istio/extensions/v1alpha1/traffic_extension_pb.js';
import { WasmPluginSchema } from '@flotilla/wire/istio/extensions/v1alpha1/wasm_pb.js';
import type { WasmPlugin } from '@flotilla/wire/istio/extensions/v1alpha1/wasm_pb.js';
import { DestinationRuleSchema } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { DestinationRule } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { EnvoyFilterSchema } from '@flotilla/wire/istio/networking/v1alpha3/envoy_filter_pb.js';
import type { EnvoyFilter } from '@flotilla/wire/istio/networking/v1alpha3/envoy_filter_pb.js';
import { GatewaySchema } from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import type { Gateway } from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import { ServiceEntrySchema } from '@flotilla/wire/istio/networking/v1alpha3/service_entry_pb.js';
import type { ServiceEntry } from '@flotilla/wire/istio/networking/v1alpha3/service_entry_pb.js';
import { SidecarSchema } from '@flotilla/wire/istio/networking/v1alpha3/sidecar_pb.js';
import type { Sidecar } from '@flotilla/wire/istio/networking/v1alpha3/sidecar_pb.js';
import { VirtualServiceSchema } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { VirtualService } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { WorkloadEntrySchema } from '@flotilla/wire/istio/networking/v1alpha3/workload_entry_pb.js';
import type { WorkloadEntry } from '@flotilla/wire/istio/networking/v1alpha3/workload_entry_pb.js';
import { WorkloadGroupSchema } from '@flotilla/wire/istio/networking/v1alpha3/workload_group_pb.js';
import type { WorkloadGroup } from '@flotilla/wire/istio/networking/v1alpha3/workload_group_pb.js';
import { ProxyConfigSchema } from '@flotilla/wire/istio/networking/v1beta1/proxy_config_pb.js';
import type { ProxyConfig } from '@flotilla/wire/istio/networking/v1beta1/proxy_config_pb.js';
import { AuthorizationPolicySchema } from '@flotilla/wire/istio/security/v1beta1/authorization_policy_pb.js';
import type { AuthorizationPolicy } from '@flotilla/wire/istio/security/v1beta1/authorization_policy_pb.js';
import { PeerAuthenticationSchema } from '@flotilla/wire/istio/security/v1beta1/peer_authentication_pb.js';
import type { PeerAuthentication } from '@flotilla/wire/istio/security/v1beta1/peer_authentication_pb.js';
import { RequestAuthenticationSchema } from '@flotilla/wire/istio/security/v1beta1/request_authentication_pb.js';
import type { RequestAuthentication } from '@flotilla/wire/istio/security/v1beta1/request_authentication_pb.js';
import { TelemetrySchema } from '@flotilla/wire/istio/telemetry/v1alpha1/telemetry_pb.js';
import type { Telemetry } from '@flotilla/wire/istio/telemetry/v1alpha1/telemetry_pb.js';
import type { Shape } from './decode/shape.ts';
import { serviceShape } from './kubernetes/service.ts';
import type { KubernetesService } from './kubernetes/service.ts';
import { nameOnlyShape, podShape, workloadShape } from './kubernetes/workload.ts';
import type { KubernetesNameOnly, KubernetesPod, KubernetesWorkload } from './kubernetes/workload.ts';

/** The specs of Istio's kinds: messages, whichever version the document was written in. */
export interface IstioSpecs {
  readonly VirtualService: VirtualService;
  readonly DestinationRule: DestinationRule;
  readonly Gateway: Gateway;
  readonly ServiceEntry: ServiceEntry;
  readonly WorkloadEntry: WorkloadEntry;
  readonly WorkloadGroup: WorkloadGroup;
  readonly Sidecar: Sidecar;
  readonly EnvoyFilter: EnvoyFilter;
  readonly ProxyConfig: ProxyConfig;
  readonly PeerAuthentication: PeerAuthentication;
  readonly RequestAuthentication: RequestAuthentication;
  readonly AuthorizationPolicy: AuthorizationPolicy;
  readonly Telemetry: Telemetry;
  readonly WasmPlugin: WasmPlugin;
  readonly TrafficExtension: TrafficExtension;
}

/** What is read of Kubernetes' kinds: facts about services and workloads. */
export interface KubernetesSpecs {
  readonly Service: KubernetesService;
  readonly Deployment: KubernetesWorkload;
  readonly StatefulSet: KubernetesWorkload;
  readonly DaemonSet: KubernetesWorkload;
  readonly Pod: KubernetesPod;
  readonly ServiceAccount: KubernetesNameOnly;
  readonly Namespace: KubernetesNameOnly;
}

export type SpecByKind = IstioSpecs & KubernetesSpecs;
export type IstioKind = keyof IstioSpecs;
export type KubernetesKind = keyof KubernetesSpecs;
export type KnownKind = keyof SpecByKind;

interface KindFacts<K extends KnownKind> {
  readonly kind: K;
  /** API group, "" for Kubernetes' core group. */
  readonly group: string;
  /** Every served version, the newest first. All decode alike. */
  readonly versions: readonly string[];
  readonly isNamespaced: boolean;
}

export interface IstioKindEntry<K extends IstioKind = IstioKind> extends KindFacts<K> {
  readonly family: 'istio';
  readonly schema: GenMessage<IstioSpecs[K] & Message>;
}

export interface KubernetesKindEntry<K extends KubernetesKind = KubernetesKind> extends KindFacts<K> {
  readonly family: 'kubernetes';
  readonly shape: Shape<KubernetesSpecs[K]>;
}

export type KindEntry = IstioKindEntry | KubernetesKindEntry;

type Catalogue = { readonly [K in IstioKind]: IstioKindEntry<K> } & {
  readonly [K in KubernetesKind]: KubernetesKindEntry<K>;
};

const ALL = ['v1', 'v1beta1', 'v1alpha3'];

function istio<K extends IstioKind>(
  group: string,
  kind: K,
  versions: readonly string[],
  schema: GenMessage<IstioSpecs[K] & Message>,
): IstioKindEntry<K> {
  return { family: 'istio', group: `${group}.istio.io`, kind, versions, isNamespaced: true, schema };
}

function kubernetes<K extends KubernetesKind>(
  group: string,
  kind: K,
  shape: Shape<KubernetesSpecs[K]>,
  isNamespaced = true,
): KubernetesKindEntry<K> {
  return { family: 'kubernetes', group, kind, versions: ['v1'], isNamespaced, shape };
}

/** Every kind that means something to a mesh. */
export const KINDS: Catalogue = {
  VirtualService: istio('networking', 'VirtualService', ALL, VirtualServiceSchema),
  DestinationRule: istio('networking', 'DestinationRule', ALL, DestinationRuleSchema),
  Gateway: istio('networking', 'Gateway', ALL, GatewaySchema),
  ServiceEntry: istio('networking', 'ServiceEntry', ALL, ServiceEntrySchema),
  WorkloadEntry: istio('networking', 'WorkloadEntry', ALL, WorkloadEntrySchema),
  WorkloadGroup: istio('networking', 'WorkloadGroup', ALL, WorkloadGroupSchema),
  Sidecar: istio('networking', 'Sidecar', ALL, SidecarSchema),
  EnvoyFilter: istio('networking', 'EnvoyFilter', ['v1alpha3'], EnvoyFilterSchema),
  ProxyConfig: istio('networking', 'ProxyConfig', ['v1beta1'], ProxyConfigSchema),
  PeerAuthentication: istio('security', 'PeerAuthentication', ['v1', 'v1beta1'], PeerAuthenticationSchema),
  RequestAuthentication: istio('security', 'RequestAuthentication', ['v1', 'v1beta1'], RequestAuthenticationSchema),
  AuthorizationPolicy: istio('security', 'AuthorizationPolicy', ['v1', 'v1beta1'], AuthorizationPolicySchema),
  Telemetry: istio('telemetry', 'Telemetry', ['v1', 'v1alpha1'], TelemetrySchema),
  WasmPlugin: istio('extensions', 'WasmPlugin', ['v1alpha1'], WasmPluginSchema),
  TrafficExtension: istio('extensions', 'TrafficExtension', ['v1alpha1'], TrafficExtensionSchema),
  Service: kubernetes('', 'Service', serviceShape),
  Deployment: kubernetes('apps', 'Deployment', workloadShape),
  StatefulSet: kubernetes('apps', 'StatefulSet', workloadShape),
  DaemonSet: kubernetes('apps', 'DaemonSet', workloadShape),
  Pod: kubernetes('', 'Pod', podShape),
  ServiceAccount: kubernetes('', 'ServiceAccount', nameOnlyShape),
  Namespace: kubernetes('', 'Namespace', nameOnlyShape, false),
};

const BY_GROUP_KIND: ReadonlyMap<string, KindEntry> = new Map(
  Object.values(KINDS).map((entry: KindEntry) => [`${entry.group}/${entry.kind}`, entry]),
);

/** The catalogue's entry, or `null` for kinds that mean nothing to a mesh. */
export function findKind(group: string, kind: string): KindEntry | null {
  return BY_GROUP_KIND.get(`${group}/${kind}`) ?? null;
}

/** Every entry, for messages and completeness checks. */
export function allKinds(): readonly KindEntry[] {
  return [...BY_GROUP_KIND.values()];
}

const ISTIO_GROUPS: ReadonlySet<string> = new Set(
  [...BY_GROUP_KIND.values()].flatMap((entry) => (entry.family === 'istio' ? [entry.group] : [])),
);

/** Whether every kind of the group has to be known: an unknown one is a mistake, not something to pass over. */
export function isIstioGroup(group: string): boolean {
  return ISTIO_GROUPS.has(group) || group.endsWith('.istio.io');
}

/** Splits `networking.istio.io/v1` into group and version; `v1` has the group "". */
export function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/');
  if (slash === -1) return { group: '', version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}
