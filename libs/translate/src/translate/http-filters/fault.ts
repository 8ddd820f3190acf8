import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import type { HTTPFaultInjection, Percent } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { grpcStatusNumber } from '../grpc-status.ts';
import { parts, wholePercent } from '../percent.ts';
import { type Init, typed } from '../protobuf.ts';
import type { Any } from '@bufbuild/protobuf/wkt';
import { defineHttpFilter } from './http-filter.ts';

type Fault = Init<typeof HTTPFaultSchema>;

/** Delays and aborts requests, as the rule's `fault` says. */
export const fault = defineHttpFilter({
  name: 'envoy.filters.http.fault',
  guards: false,
  negotiated: null,
  inputs: () => ({}),
  manager: () => typed(HTTPFaultSchema, {}),
  route: (rule) => (rule.fault === undefined ? null : injectionOf(rule.fault)),
});

function injectionOf(injection: HTTPFaultInjection): Any {
  return typed(HTTPFaultSchema, { ...delayOf(injection), ...abortOf(injection) });
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
