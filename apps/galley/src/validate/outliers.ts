import type { FaultList, FieldPath } from '@flotilla/model';
import type { OutlierDetection } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { checkDuration, checkNotNegative, checkPercent } from './field.ts';

/** Rules of `outlierDetection`: shares that are percentages, times that are longer than nothing. */
export function checkOutliers(settings: OutlierDetection | undefined, path: FieldPath, faults: FaultList): void {
  if (settings === undefined) return;
  checkPercent(settings.maxEjectionPercent, [...path, 'maxEjectionPercent'], faults);
  checkPercent(settings.minHealthPercent, [...path, 'minHealthPercent'], faults);
  checkNotNegative(settings.consecutiveErrors, [...path, 'consecutiveErrors'], faults);
  checkDuration(settings.interval, [...path, 'interval'], faults);
  checkDuration(settings.baseEjectionTime, [...path, 'baseEjectionTime'], faults);
}
