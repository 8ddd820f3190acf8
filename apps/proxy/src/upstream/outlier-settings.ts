import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import type { OutlierDetection } from '@flotilla/wire/envoy/config/cluster/v3/outlier_detection_pb.js';

/** `OutlierDetection`, compiled. Fractions are probabilities in [0,1], percentages in [0,100]. */
export interface OutlierSettings {
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly jitterMs: number;
  readonly maxEjectionPercent: number;
  readonly alwaysEjectsOne: boolean;
  /** Failures to reach a host are counted apart from its answers. */
  readonly splitsLocalOrigin: boolean;
  readonly consecutive: Readonly<Record<ConsecutiveKind, { readonly threshold: number; readonly enforced: number }>>;
  readonly rates: Readonly<Record<RateKind, RateRule>>;
  /** A host that passes its active health check comes back at once. */
  readonly healthCheckBringsBack: boolean;
}

export type ConsecutiveKind = 'consecutive_5xx' | 'consecutive_gateway_failure' | 'consecutive_local_origin_failure';

export type RateKind =
  'success_rate' | 'local_origin_success_rate' | 'failure_percentage' | 'local_origin_failure_percentage';

/** Compares a host with the others (success rate) or with a threshold (failure percentage). */
export interface RateRule {
  readonly enforced: number;
  /** Fewer hosts with enough requests: nothing is done. */
  readonly minHosts: number;
  readonly minRequests: number;
  /** Standard deviations below the mean, or per cent of failures. */
  readonly limit: number;
}

/** Compiles outlier detection with Envoy's defaults; null where a cluster has none. Throws `invalid`. */
export function compileOutlierDetection(proto: OutlierDetection | undefined): OutlierSettings | null {
  if (proto === undefined) return null;
  const baseEjectionMs = millis(proto.baseEjectionTime, 30_000);
  const successRate = {
    minHosts: proto.successRateMinimumHosts ?? 5,
    minRequests: proto.successRateRequestVolume ?? 100,
    limit: (proto.successRateStdevFactor ?? 1900) / 1000,
  };
  const failures = {
    minHosts: proto.failurePercentageMinimumHosts ?? 5,
    minRequests: proto.failurePercentageRequestVolume ?? 50,
    limit: proto.failurePercentageThreshold ?? 85,
  };
  return {
    intervalMs: millis(proto.interval, 10_000),
    baseEjectionMs,
    maxEjectionMs: millis(proto.maxEjectionTime, Math.max(baseEjectionMs, 300_000)),
    jitterMs: millis(proto.maxEjectionTimeJitter, 0),
    maxEjectionPercent: Math.min(100, proto.maxEjectionPercent ?? 10),
    alwaysEjectsOne: proto.alwaysEjectOneHost === true,
    splitsLocalOrigin: proto.splitExternalLocalOriginErrors,
    consecutive: {
      consecutive_5xx: { threshold: proto.consecutive5xx ?? 5, enforced: fraction(proto.enforcingConsecutive5xx, 100) },
      consecutive_gateway_failure: {
        threshold: proto.consecutiveGatewayFailure ?? 5,
        enforced: fraction(proto.enforcingConsecutiveGatewayFailure, 0),
      },
      consecutive_local_origin_failure: {
        threshold: proto.consecutiveLocalOriginFailure ?? 5,
        enforced: fraction(proto.enforcingConsecutiveLocalOriginFailure, 100),
      },
    },
    rates: {
      success_rate: { ...successRate, enforced: fraction(proto.enforcingSuccessRate, 100) },
      local_origin_success_rate: { ...successRate, enforced: fraction(proto.enforcingLocalOriginSuccessRate, 100) },
      failure_percentage: { ...failures, enforced: fraction(proto.enforcingFailurePercentage, 0) },
      local_origin_failure_percentage: {
        ...failures,
        enforced: fraction(proto.enforcingFailurePercentageLocalOrigin, 0),
      },
    },
    healthCheckBringsBack: proto.successfulActiveHealthCheckUnejectHost !== false,
  };
}

function fraction(percent: number | undefined, absent: number): number {
  return Math.min(100, percent ?? absent) / 100;
}

function millis(duration: Duration | undefined, absent: number): number {
  return duration === undefined ? absent : durationMs(duration);
}
