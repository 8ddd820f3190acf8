import { type Any, type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import { limit, type Random } from '@flotilla/runtime';
import {
  type Balanced,
  leastRequest,
  leastRequestWeight,
  maglev,
  MAGLEV_TABLE_SIZE,
  murmurHash2,
  type Picker,
  randomChoice,
  ringHash,
  roundRobin,
  type SlowStartSettings,
  type Starting,
  xxHash64,
} from '@flotilla/balance';
import { type Cluster, Cluster_LbPolicy as LbPolicy } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { LeastRequestSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js';
import { RandomSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/random/v3/random_pb.js';
import { RoundRobinSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js';
import { MaglevSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.js';
import {
  RingHash_HashFunction,
  RingHashSchema,
} from '@flotilla/wire/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import { compileSubsets, type SubsetSettings } from './subsets.ts';

/** What balancing reads of a host. */
export interface BalancedHost extends Balanced, Starting {
  readonly address: string;
  readonly hostname: string;
  /** What balancers by hash know it by; null: its address or name. */
  readonly hashKey: string | null;
}

/** Builds the picker of a set of hosts. */
export type HostPickerFactory = <H extends BalancedHost>(hosts: readonly H[], random: Random) => Picker<H>;

/** How a cluster chooses among its hosts. */
export interface BalancingSettings {
  readonly createPicker: HostPickerFactory;
  /** Localities are chosen by their weights first. */
  readonly usesLocalityWeights: boolean;
  /** Below this share of usable hosts (per cent) health is ignored; 0: never. */
  readonly panicThreshold: number;
  /** In panic no host at all is chosen (`fail_traffic_on_panic`). */
  readonly failsOnPanic: boolean;
  /** How much more than its share the rest of a priority or locality can carry, per cent; EDS may say another. */
  readonly overprovisioning: number;
  /** Null: a new host gets its full share at once. */
  readonly slowStart: HostSlowStart | null;
  /** Null: requests go by no metadata. */
  readonly subsets: SubsetSettings | null;
}

/** Slow start, and what a host weighs apart from it. */
export interface HostSlowStart extends SlowStartSettings {
  readonly weightOf: (host: BalancedHost) => number;
}

interface Policy {
  readonly createPicker: HostPickerFactory;
  readonly usesLocalityWeights: boolean;
  readonly slowStart: HostSlowStart | null;
}

/** Envoy's default of `healthy_panic_threshold`. */
const DEFAULT_PANIC_THRESHOLD = 50;
const DEFAULT_OVERPROVISIONING = 140;
const DEFAULT_CHOICES = { choiceCount: 2, activeRequestBias: 1 };

/** Compiles `lb_policy` or `load_balancing_policy`. Throws `invalid`, naming the field. */
export function compileBalancing(cluster: Cluster): BalancingSettings {
  const common = cluster.commonLbConfig;
  const policy = cluster.loadBalancingPolicy === undefined ? compileLegacy(cluster) : compilePolicyList(cluster);
  return {
    createPicker: policy.createPicker,
    slowStart: policy.slowStart,
    subsets: compileSubsets(cluster),
    usesLocalityWeights:
      policy.usesLocalityWeights || common?.localityConfigSpecifier.case === 'localityWeightedLbConfig',
    failsOnPanic:
      common?.localityConfigSpecifier.case === 'zoneAwareLbConfig' &&
      common.localityConfigSpecifier.value.failTrafficOnPanic,
    overprovisioning: overprovisioningOf(cluster.loadAssignment),
    panicThreshold: common?.healthyPanicThreshold?.value ?? DEFAULT_PANIC_THRESHOLD,
  };
}

function compileLegacy(cluster: Cluster): Policy {
  const { lbPolicy, lbConfig } = cluster;
  switch (lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return roundRobinOf(
        lbConfig.case === 'roundRobinLbConfig' ? lbConfig.value.slowStartConfig : undefined,
        'round_robin_lb_config',
      );
    case LbPolicy.LEAST_REQUEST:
      return leastRequestOf(lbConfig.case === 'leastRequestLbConfig' ? lbConfig.value : {}, 'least_request_lb_config');
    case LbPolicy.RANDOM:
      return plain(randomChoice);
    case LbPolicy.RING_HASH:
      return plain(
        ringHashOf(
          lbConfig.case === 'ringHashLbConfig' ? lbConfig.value : undefined,
          'ring_hash_lb_config',
          usesHostname(cluster),
        ),
      );
    case LbPolicy.MAGLEV:
      return plain(
        maglevOf(
          lbConfig.case === 'maglevLbConfig' ? lbConfig.value.tableSize : undefined,
          'maglev_lb_config',
          usesHostname(cluster),
        ),
      );
    case LbPolicy.CLUSTER_PROVIDED:
      return plain(randomChoice);
    default:
      return refuse('lb_policy', `${LbPolicy[lbPolicy] ?? lbPolicy} is not supported`);
  }
}

/** Takes the first policy of the list that is known, as Envoy does. */
function compilePolicyList(cluster: Cluster): Policy {
  const names: string[] = [];
  for (const [index, { typedExtensionConfig: extension }] of (cluster.loadBalancingPolicy?.policies ?? []).entries()) {
    const path = `load_balancing_policy.policies[${index}]`;
    const any = extension?.typedConfig;
    const policy = any === undefined ? null : inField(path, () => compilePolicy(any, path));
    if (policy !== null) return policy;
    names.push(extension?.name ?? '');
  }
  return refuse('load_balancing_policy', `none of the policies is supported: ${names.join(', ')}`);
}

function compilePolicy(any: Any, path: string): Policy | null {
  const roundRobinConfig = unpackValid(any, RoundRobinSchema);
  if (roundRobinConfig !== undefined) {
    return {
      ...roundRobinOf(roundRobinConfig.slowStartConfig, path),
      usesLocalityWeights: isWeighted(roundRobinConfig.localityLbConfig),
    };
  }
  const leastRequestConfig = unpackValid(any, LeastRequestSchema);
  if (leastRequestConfig !== undefined) {
    return {
      ...leastRequestOf(leastRequestConfig, path),
      usesLocalityWeights: isWeighted(leastRequestConfig.localityLbConfig),
    };
  }
  const ringConfig = unpackValid(any, RingHashSchema);
  if (ringConfig !== undefined) {
    const legacy = {
      minimumRingSize: ringConfig.minimumRingSize,
      maximumRingSize: ringConfig.maximumRingSize,
      hashFunction: ringConfig.hashFunction === RingHash_HashFunction.MURMUR_HASH_2 ? 1 : 0,
    };
    return {
      createPicker: ringHashOf(
        legacy,
        path,
        ringConfig.consistentHashingLbConfig?.useHostnameForHashing ?? ringConfig.useHostnameForHashing,
      ),
      slowStart: null,
      usesLocalityWeights: ringConfig.localityWeightedLbConfig !== undefined,
    };
  }
  const maglevConfig = unpackValid(any, MaglevSchema);
  if (maglevConfig !== undefined) {
    return {
      createPicker: maglevOf(
        maglevConfig.tableSize,
        path,
        maglevConfig.consistentHashingLbConfig?.useHostnameForHashing === true,
      ),
      slowStart: null,
      usesLocalityWeights: maglevConfig.localityWeightedLbConfig !== undefined,
    };
  }
  const randomConfig = unpackValid(any, RandomSchema);
  if (randomConfig === undefined) return null;
  return { ...plain(randomChoice), usesLocalityWeights: isWeighted(randomConfig.localityLbConfig) };
}

function isWeighted(
  config: { readonly localityConfigSpecifier: { readonly case?: string | undefined } } | undefined,
): boolean {
  return config?.localityConfigSpecifier.case === 'localityWeightedLbConfig';
}

const DEFAULT_MIN_RING_SIZE = 1024;
const MAX_RING_SIZE = limit({
  name: 'proxy.ring-size',
  what: 'entries of a hash ring (as Envoy)',
  default: 8 * 1024 * 1024,
  unit: 'count',
  setting: '`ring_hash_lb_config.maximum_ring_size`',
  past: 'the cluster is refused',
});
const MAX_MAGLEV_TABLE_SIZE = limit({
  name: 'proxy.maglev-table',
  what: 'entries of a Maglev table (as Envoy)',
  default: 5_000_011,
  unit: 'count',
  past: 'the cluster is refused',
});

/** What a host is known by on the ring: its own key, else its address, or its name where the configuration says so. */
function hashKeyOf(usesHostname: boolean): (host: BalancedHost) => string {
  return (host) => host.hashKey ?? (usesHostname && host.hostname !== '' ? host.hostname : host.address);
}

function usesHostname({ commonLbConfig }: Cluster): boolean {
  return commonLbConfig?.consistentHashingLbConfig?.useHostnameForHashing === true;
}

interface RingSizes {
  readonly minimumRingSize?: bigint | undefined;
  readonly maximumRingSize?: bigint | undefined;
  /** 1: MurmurHash2. */
  readonly hashFunction: number;
}

function ringHashOf(config: RingSizes | undefined, path: string, byHostname: boolean): HostPickerFactory {
  const minSize = Number(config?.minimumRingSize ?? DEFAULT_MIN_RING_SIZE);
  const maxSize = Number(config?.maximumRingSize ?? MAX_RING_SIZE);
  if (minSize < 1 || maxSize > MAX_RING_SIZE || minSize > maxSize) refuse(path, 'has ring sizes that cannot be');
  const hash = config?.hashFunction === 1 ? murmurHash2 : xxHash64;
  const keyOf = hashKeyOf(byHostname);
  return (hosts) => ringHash(hosts, keyOf, { minSize, maxSize, hash });
}

function maglevOf(size: bigint | undefined, path: string, byHostname: boolean): HostPickerFactory {
  const tableSize = Number(size ?? MAGLEV_TABLE_SIZE);
  if (tableSize > MAX_MAGLEV_TABLE_SIZE || !isPrime(tableSize))
    refuse(`${path}.table_size`, `${tableSize} is not a prime up to 5000011`);
  const keyOf = hashKeyOf(byHostname);
  return (hosts) => maglev(hosts, keyOf, tableSize);
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return value > 1;
}

/** Of an assignment's policy, per cent; Envoy's default where it sets none. */
export function overprovisioningOf(assignment: ClusterLoadAssignment | undefined): number {
  return assignment?.policy?.overprovisioningFactor ?? DEFAULT_OVERPROVISIONING;
}

/** The older and the present form of the settings. */
interface LeastRequestFields {
  readonly choiceCount?: number | undefined;
  readonly activeRequestBias?: { readonly defaultValue: number } | undefined;
  readonly slowStartConfig?: SlowStartFields | undefined;
}

interface SlowStartFields {
  readonly slowStartWindow?: Duration | undefined;
  readonly aggression?: { readonly defaultValue: number } | undefined;
  readonly minWeightPercent?: { readonly value: number } | undefined;
}

function leastRequestOf(fields: LeastRequestFields, path: string): Policy {
  const choiceCount = fields.choiceCount ?? DEFAULT_CHOICES.choiceCount;
  const activeRequestBias = fields.activeRequestBias?.defaultValue ?? DEFAULT_CHOICES.activeRequestBias;
  return {
    ...plain((hosts, random) => leastRequest(hosts, random, { choiceCount, activeRequestBias })),
    slowStart: slowStartOf(fields.slowStartConfig, leastRequestWeight(activeRequestBias), path),
  };
}

function roundRobinOf(fields: SlowStartFields | undefined, path: string): Policy {
  return { ...plain(roundRobin), slowStart: slowStartOf(fields, (host) => host.weight, path) };
}

const DEFAULT_MIN_SHARE = 0.1;

function slowStartOf(
  fields: SlowStartFields | undefined,
  weightOf: (host: BalancedHost) => number,
  path: string,
): HostSlowStart | null {
  const windowMs = fields?.slowStartWindow === undefined ? 0 : durationMs(fields.slowStartWindow);
  if (fields === undefined || windowMs <= 0) return null;
  const aggression = fields.aggression?.defaultValue ?? 1;
  if (aggression <= 0) refuse(`${path}.slow_start_config.aggression`, 'is not greater than 0');
  const percent = fields.minWeightPercent?.value ?? DEFAULT_MIN_SHARE * 100;
  if (percent < 0 || percent > 100) refuse(`${path}.slow_start_config.min_weight_percent`, 'is not in 0 to 100');
  // A share of nothing would never come up again.
  return { windowMs, aggression, minShare: Math.max(percent / 100, 1e-4), weightOf };
}

function plain(createPicker: HostPickerFactory): Policy {
  return { createPicker, usesLocalityWeights: false, slowStart: null };
}
