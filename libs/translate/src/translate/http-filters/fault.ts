import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import type { HTTPFaultInjection, Percent } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { grpcStatusNumber } from '../grpc-status.ts';
import { parts, wholePercent } from '../percent.ts';
import { type Init, typed } from '../protobuf.ts';
import type { Any } from '@bufbuild/protobuf/wkt';

export const FAULT_FILTER = 'envoy.filters.http.fault';

type Fault = Init<typeof HTTPFaultSchema>;

/** The route's faults, for `typed_per_filter_config`. */
export function faultConfig(fault: HTTPFaultInjection): Any {
  return typed(HTTPFaultSchema, { ...delayOf(fault), ...abortOf(fault) });
}

function delayOf({ delay }: HTTPFaultInjection): Fault {
  if (delay?.httpDelayType.case !== 'fixedDelay') return {};
  return {
    delay: {
      faultDelaySecifier: { case: 'fixedDelay', value: delay.httpDelayType.value },
      percentage: percentage(delay.percentage, delay.percent),
    },
  };
}

function abortOf({ abort }: HTTPFaultInjection): Fault {
  switch (abort?.errorType.case) {
    case 'httpStatus':
      return {
        abort: {
          errorType: { case: 'httpStatus', value: abort.errorType.value },
          percentage: percentage(abort.percentage, 0),
        },
      };
    case 'grpcStatus':
      return {
        abort: {
          errorType: { case: 'grpcStatus', value: grpcStatusNumber(abort.errorType.value) },
          percentage: percentage(abort.percentage, 0),
        },
      };
    default:
      return {};
  }
}

function percentage(value: Percent | undefined, whole: number) {
  if (value !== undefined) return parts(value.value);
  return wholePercent(whole > 0 ? whole : 100);
}
