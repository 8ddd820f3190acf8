import { anyUnpack, type Any } from '@bufbuild/protobuf/wkt';
import { leastRequest, type PickerFactory, randomChoice, roundRobin } from '@flotilla/balance';
import { type Cluster, Cluster_LbPolicy as LbPolicy } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import {
  LeastRequest_SelectionMethod as SelectionMethod,
  LeastRequestSchema,
} from '@flotilla/wire/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js';
import { RandomSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/random/v3/random_pb.js';
import { RoundRobinSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js';
import { inField, refuse, refuseWhen } from '../http/route/field.ts';

/** How a cluster chooses among its hosts. */
export interface BalancingSettings {
  readonly createPicker: PickerFactory;
  /** Localities are chosen by their weights first. */
  readonly usesLocalityWeights: boolean;
  /** Below this share of usable hosts (per cent) health is ignored; 0: never. */
  readonly panicThreshold: number;
}

interface Policy {
  readonly createPicker: PickerFactory;
  readonly usesLocalityWeights: boolean;
}

/** Envoy's default of `healthy_panic_threshold`. */
const DEFAULT_PANIC_THRESHOLD = 50;
const DEFAULT_CHOICES = { choiceCount: 2, activeRequestBias: 1 };

/** Compiles `lb_policy` or `load_balancing_policy`. Throws `invalid`, naming the field. */
export function compileBalancing(cluster: Cluster): BalancingSettings {
  refuseWhen((cluster.lbSubsetConfig?.subsetSelectors.length ?? 0) > 0, 'lb_subset_config');
  const common = cluster.commonLbConfig;
  refuseWhen(common?.closeConnectionsOnHostSetChange === true, 'common_lb_config.close_connections_on_host_set_change');
  const policy = cluster.loadBalancingPolicy === undefined ? compileLegacy(cluster) : compilePolicyList(cluster);
  return {
    createPicker: policy.createPicker,
    usesLocalityWeights:
      policy.usesLocalityWeights || common?.localityConfigSpecifier.case === 'localityWeightedLbConfig',
    panicThreshold: common?.healthyPanicThreshold?.value ?? DEFAULT_PANIC_THRESHOLD,
  };
}

function compileLegacy(cluster: Cluster): Policy {
  const { lbPolicy, lbConfig } = cluster;
  switch (lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      if (lbConfig.case === 'roundRobinLbConfig') {
        refuseWhen(lbConfig.value.slowStartConfig !== undefined, 'round_robin_lb_config.slow_start_config');
      }
      return plain(roundRobin);
    case LbPolicy.LEAST_REQUEST: {
      if (lbConfig.case !== 'leastRequestLbConfig') return plain(leastRequestWith(DEFAULT_CHOICES));
      const { choiceCount, activeRequestBias, slowStartConfig } = lbConfig.value;
      refuseWhen(slowStartConfig !== undefined, 'least_request_lb_config.slow_start_config');
      return plain(
        leastRequestWith({
          choiceCount: choiceCount ?? DEFAULT_CHOICES.choiceCount,
          activeRequestBias: activeRequestBias?.defaultValue ?? DEFAULT_CHOICES.activeRequestBias,
        }),
      );
    }
    case LbPolicy.RANDOM:
      return plain(randomChoice);
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
  const roundRobinConfig = anyUnpack(any, RoundRobinSchema);
  if (roundRobinConfig !== undefined) {
    refuseWhen(roundRobinConfig.slowStartConfig !== undefined, `${path}.slow_start_config`);
    return { createPicker: roundRobin, usesLocalityWeights: isWeighted(roundRobinConfig.localityLbConfig) };
  }
  const leastRequestConfig = anyUnpack(any, LeastRequestSchema);
  if (leastRequestConfig !== undefined) {
    refuseWhen(leastRequestConfig.slowStartConfig !== undefined, `${path}.slow_start_config`);
    const isFullScan =
      leastRequestConfig.enableFullScan === true || leastRequestConfig.selectionMethod === SelectionMethod.FULL_SCAN;
    refuseWhen(isFullScan, `${path}.selection_method: FULL_SCAN`);
    return {
      createPicker: leastRequestWith({
        choiceCount: leastRequestConfig.choiceCount ?? DEFAULT_CHOICES.choiceCount,
        activeRequestBias: leastRequestConfig.activeRequestBias?.defaultValue ?? DEFAULT_CHOICES.activeRequestBias,
      }),
      usesLocalityWeights: isWeighted(leastRequestConfig.localityLbConfig),
    };
  }
  const randomConfig = anyUnpack(any, RandomSchema);
  if (randomConfig === undefined) return null;
  return { createPicker: randomChoice, usesLocalityWeights: isWeighted(randomConfig.localityLbConfig) };
}

function isWeighted(
  config: { readonly localityConfigSpecifier: { readonly case?: string | undefined } } | undefined,
): boolean {
  return config?.localityConfigSpecifier.case === 'localityWeightedLbConfig';
}

function leastRequestWith(settings: typeof DEFAULT_CHOICES): PickerFactory {
  return (hosts, random) => leastRequest(hosts, random, settings);
}

function plain(createPicker: PickerFactory): Policy {
  return { createPicker, usesLocalityWeights: false };
}
