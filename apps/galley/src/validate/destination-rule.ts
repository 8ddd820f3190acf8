import type { FaultList } from '@flotilla/model';
import type { DestinationRule } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { checkLabels } from '../decode/header.ts';
import { checkUnique } from './field.ts';
import { checkExportTo, checkHost, isHostName } from './host.ts';
import { checkTrafficPolicy } from './traffic-policy.ts';

export function validateDestinationRule(spec: DestinationRule, faults: FaultList): void {
  if (spec.host === '') faults.error(['spec', 'host'], '"host" is missing');
  else checkHost(spec.host, ['spec', 'host'], faults);
  checkExportTo(spec.exportTo, faults);
  checkTrafficPolicy(spec.trafficPolicy, ['spec', 'trafficPolicy'], faults);
  if (spec.workloadSelector !== undefined) {
    checkLabels(spec.workloadSelector.matchLabels, ['spec', 'workloadSelector', 'matchLabels'], faults);
  }
  spec.subsets.forEach((subset, index) => {
    const path = ['spec', 'subsets', index];
    if (subset.name === '') faults.error([...path, 'name'], 'a subset needs a name');
    else if (!isHostName(subset.name)) {
      const hint = 'Use letters, digits and dashes.';
      faults.error([...path, 'name'], `"${subset.name}" cannot be the name of a subset`, hint);
    }
    checkLabels(subset.labels, [...path, 'labels'], faults);
    checkTrafficPolicy(subset.trafficPolicy, [...path, 'trafficPolicy'], faults);
  });
  checkUnique(
    spec.subsets.map((subset) => subset.name),
    (index) => ['spec', 'subsets', index, 'name'],
    'subset name',
    faults,
  );
}
