import type { RouteAction_RequestMirrorPolicySchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { HTTPRoute } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { parts, wholePercent } from '../percent.ts';
import type { Init } from '../protobuf.ts';
import { destinationCluster, type RouteContext } from './destination.ts';

type MirrorPolicy = Init<typeof RouteAction_RequestMirrorPolicySchema>;

/** Copies of requests: of all of them where no percentage is given, of none where it is zero. */
export function mirrorPolicies(rule: HTTPRoute, context: RouteContext): MirrorPolicy[] {
  const single: MirrorPolicy[] =
    rule.mirror === undefined
      ? []
      : [
          {
            cluster: destinationCluster(rule.mirror, context),
            runtimeFraction: {
              defaultValue:
                rule.mirrorPercentage !== undefined
                  ? parts(rule.mirrorPercentage.value)
                  : wholePercent(rule.mirrorPercent ?? 100),
            },
          },
        ];
  const several = rule.mirrors.map(({ destination, percentage }): MirrorPolicy => ({
    cluster: destinationCluster(destination, context),
    runtimeFraction: { defaultValue: percentage === undefined ? wholePercent(100) : parts(percentage.value) },
  }));
  return [...single, ...several].filter((policy) => policy.runtimeFraction?.defaultValue?.numerator !== 0);
}
