import { didYouMean, quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import { CodeSchema } from '@flotilla/wire/google/rpc/code_pb.js';
import type { HTTPFaultInjection } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { checkDuration, checkPercent } from './field.ts';

// Names of gRPC's status codes, which may also be written as numbers.
const GRPC_STATUSES = CodeSchema.values.map(({ name }) => name);

export function checkFault(fault: HTTPFaultInjection | undefined, path: FieldPath, faults: FaultList): void {
  if (fault === undefined) return;
  if (fault.delay === undefined && fault.abort === undefined) faults.error(path, 'is empty', 'Add delay or abort.');
  if (fault.delay !== undefined) checkDelay(fault.delay, [...path, 'delay'], faults);
  if (fault.abort !== undefined) checkAbort(fault.abort, [...path, 'abort'], faults);
}

type Delay = NonNullable<HTTPFaultInjection['delay']>;
type Abort = NonNullable<HTTPFaultInjection['abort']>;

function checkDelay(delay: Delay, path: FieldPath, faults: FaultList): void {
  checkPercent(delay.percentage?.value, [...path, 'percentage', 'value'], faults);
  checkPercent(delay.percent, [...path, 'percent'], faults);
  if (delay.httpDelayType.case === undefined) faults.error(path, 'does not say how long', 'Add fixedDelay.');
  if (delay.httpDelayType.case === 'fixedDelay') {
    checkDuration(delay.httpDelayType.value, [...path, 'fixedDelay'], faults);
  }
}

function checkAbort(abort: Abort, path: FieldPath, faults: FaultList): void {
  checkPercent(abort.percentage?.value, [...path, 'percentage', 'value'], faults);
  const type = abort.errorType;
  if (type.case === undefined) faults.error(path, 'does not say with what', 'Add httpStatus or grpcStatus.');
  if (type.case === 'httpStatus' && (type.value < 200 || type.value > 599)) {
    faults.error([...path, 'httpStatus'], `must be a status between 200 and 599, but is ${type.value}`);
  }
  const isGrpcStatus = (text: string): boolean => GRPC_STATUSES.includes(text) || /^(\d|1[0-6])$/.test(text);
  if (type.case === 'grpcStatus' && !isGrpcStatus(type.value)) {
    const hint = didYouMean(type.value, GRPC_STATUSES) || `Allowed: ${GRPC_STATUSES.join(', ')}.`;
    faults.error([...path, 'grpcStatus'], `unknown status ${quote(type.value)}`, hint);
  }
}
