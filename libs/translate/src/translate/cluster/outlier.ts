import type { OutlierDetectionSchema } from '@flotilla/wire/envoy/config/cluster/v3/outlier_detection_pb.js';
import type { OutlierDetection } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { Init } from '../protobuf.ts';

/**
 * Istio's ejection settings in Envoy's terms: success-rate ejection stays off, gateway errors and 5xx each count when
 * they are named.
 */
export function outlierDetection(settings: OutlierDetection): Init<typeof OutlierDetectionSchema> {
  const gateway = settings.consecutiveGatewayErrors;
  const any5xx =
    settings.consecutive5xxErrors ?? (settings.consecutiveErrors > 0 ? settings.consecutiveErrors : undefined);
  return {
    enforcingSuccessRate: 0,
    ...(settings.interval === undefined ? {} : { interval: settings.interval }),
    ...(settings.baseEjectionTime === undefined ? {} : { baseEjectionTime: settings.baseEjectionTime }),
    ...(settings.maxEjectionPercent === 0 ? {} : { maxEjectionPercent: settings.maxEjectionPercent }),
    ...(any5xx === undefined ? {} : { consecutive5xx: any5xx, enforcingConsecutive5xx: any5xx > 0 ? 100 : 0 }),
    ...(gateway === undefined
      ? {}
      : { consecutiveGatewayFailure: gateway, enforcingConsecutiveGatewayFailure: gateway > 0 ? 100 : 0 }),
    ...(settings.splitExternalLocalOriginErrors ? { splitExternalLocalOriginErrors: true } : {}),
    ...(settings.consecutiveLocalOriginFailures === undefined
      ? {}
      : {
          consecutiveLocalOriginFailure: settings.consecutiveLocalOriginFailures,
          enforcingConsecutiveLocalOriginFailure: 100,
          enforcingLocalOriginSuccessRate: 0,
        }),
  };
}
