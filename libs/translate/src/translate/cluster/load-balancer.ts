import {
  type ClusterSchema,
  Cluster_LbPolicy,
  type Cluster_SlowStartConfigSchema,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import {
  type LoadBalancerSettings,
  LoadBalancerSettings_SimpleLB as SimpleLb,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { Init } from '../protobuf.ts';

type ClusterInit = Init<typeof ClusterSchema>;

/** Least request unless a rule asks for another, as in Istio. PASSTHROUGH is the cluster type's own affair. */
export function loadBalancing(settings: LoadBalancerSettings | undefined): ClusterInit {
  const policy = settings?.lbPolicy;
  if (policy?.case === 'consistentHash') {
    const { hashAlgorithm, minimumRingSize } = policy.value;
    if (hashAlgorithm.case === 'maglev') {
      const { tableSize } = hashAlgorithm.value;
      return {
        lbPolicy: Cluster_LbPolicy.MAGLEV,
        lbConfig: { case: 'maglevLbConfig', value: tableSize === 0n ? {} : { tableSize } },
      };
    }
    const ringSize = hashAlgorithm.case === 'ringHash' ? hashAlgorithm.value.minimumRingSize : minimumRingSize;
    return {
      lbPolicy: Cluster_LbPolicy.RING_HASH,
      // Istio's default ring of 1024 entries.
      lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize: ringSize === 0n ? 1024n : ringSize } },
    };
  }
  const warmup = slowStart(settings);
  switch (policy?.case === 'simple' ? policy.value : SimpleLb.UNSPECIFIED) {
    case SimpleLb.ROUND_ROBIN:
      return {
        lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
        ...(warmup === undefined
          ? {}
          : { lbConfig: { case: 'roundRobinLbConfig', value: { slowStartConfig: warmup } } }),
      };
    case SimpleLb.RANDOM:
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    default:
      return {
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        ...(warmup === undefined
          ? {}
          : { lbConfig: { case: 'leastRequestLbConfig', value: { slowStartConfig: warmup } } }),
      };
  }
}

/** New endpoints begin with a small share of requests; `undefined`: with all of it. */
function slowStart(settings: LoadBalancerSettings | undefined): Init<typeof Cluster_SlowStartConfigSchema> | undefined {
  const { duration, minimumPercent, aggression } = settings?.warmup ?? {};
  const window = duration ?? settings?.warmupDurationSecs;
  if (window === undefined) return undefined;
  return {
    slowStartWindow: window,
    ...(minimumPercent === undefined ? {} : { minWeightPercent: { value: minimumPercent } }),
    ...(aggression === undefined ? {} : { aggression: { defaultValue: aggression, runtimeKey: 'warmup.aggression' } }),
  };
}

export function isPassthrough(settings: LoadBalancerSettings | undefined): boolean {
  return settings?.lbPolicy.case === 'simple' && settings.lbPolicy.value === SimpleLb.PASSTHROUGH;
}
