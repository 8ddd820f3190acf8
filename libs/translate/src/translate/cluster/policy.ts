import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  LoadBalancerSettings,
  OutlierDetection,
  TrafficPolicy,
  TrafficPolicy_RetryBudget as RetryBudget,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { DestinationPolicy } from '../../mesh/destination-rules.ts';

/** The policy in force for one cluster, after layering. Absent parts take the proxy's defaults. */
export interface EffectivePolicy {
  readonly connectionPool: ConnectionPoolSettings | undefined;
  readonly loadBalancer: LoadBalancerSettings | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: ClientTLSSettings | undefined;
  readonly retryBudget: RetryBudget | undefined;
}

/**
 * Layers a policy: the rule's traffic policy, then the subset's, each part replacing the same part below it as a whole;
 * a port-level setting then replaces all parts that it can have for its port, inheriting none of them (Istio's
 * documentation of `portLevelSettings`).
 */
export function effectivePolicy(
  destination: DestinationPolicy | null,
  subsetName: string,
  port: number,
): EffectivePolicy {
  const rule = destination?.trafficPolicy ?? undefined;
  const subset = destination?.subsets.find((candidate) => candidate.name === subsetName)?.trafficPolicy;
  const layered = {
    connectionPool: subset?.connectionPool ?? rule?.connectionPool,
    loadBalancer: subset?.loadBalancer ?? rule?.loadBalancer,
    outlierDetection: subset?.outlierDetection ?? rule?.outlierDetection,
    tls: subset?.tls ?? rule?.tls,
  };
  // A port's settings have no budget of their own.
  const retryBudget = subset?.retryBudget ?? rule?.retryBudget;
  const atPort = portSettings(subset, port) ?? portSettings(rule, port);
  const chosen = atPort ?? layered;
  return {
    connectionPool: chosen.connectionPool,
    loadBalancer: chosen.loadBalancer,
    outlierDetection: chosen.outlierDetection,
    tls: chosen.tls,
    retryBudget,
  };
}

function portSettings(policy: TrafficPolicy | undefined, port: number) {
  return policy?.portLevelSettings.find((settings) => settings.port?.number === port);
}
