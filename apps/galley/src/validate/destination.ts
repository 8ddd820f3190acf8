import type { FaultList, FieldPath } from '@flotilla/model';
import type { Destination } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { checkNotNegative, checkPort } from './field.ts';
import { checkHost, isHostName } from './host.ts';

export function checkDestination(destination: Destination | undefined, path: FieldPath, faults: FaultList): void {
  if (destination === undefined) {
    faults.error(path, '"destination" is missing');
    return;
  }
  if (destination.host === '') faults.error([...path, 'host'], '"host" is missing');
  else if (destination.host === '*') faults.error([...path, 'host'], 'a destination is one service, not *');
  else checkHost(destination.host, [...path, 'host'], faults);
  if (destination.subset !== '' && !isHostName(destination.subset)) {
    faults.error([...path, 'subset'], `"${destination.subset}" cannot be the name of a subset`);
  }
  if (destination.port !== undefined) checkPort(destination.port.number, [...path, 'port', 'number'], faults);
}

interface WeightedDestination {
  readonly destination?: Destination | undefined;
  readonly weight: number;
}

// Envoy adds weights up in 32 bits.
const MAX_TOTAL_WEIGHT = 4_294_967_295;

/**
 * Destinations with weights. As in Istio, the weight of a single destination says nothing, the sum need not be 100,
 * and a sum of zero is a fault, since then no destination could be chosen.
 */
export function checkWeights(route: readonly WeightedDestination[], path: FieldPath, faults: FaultList): void {
  let total = 0;
  route.forEach(({ destination, weight }, index) => {
    checkDestination(destination, [...path, index, 'destination'], faults);
    checkNotNegative(weight, [...path, index, 'weight'], faults);
    total += Math.max(0, weight);
  });
  if (route.length > 1 && total === 0) {
    faults.error(path, 'the weights add up to 0', 'Give each destination its share as weight, such as 90 and 10.');
  }
  if (total > MAX_TOTAL_WEIGHT) faults.error(path, `the weights add up to more than ${MAX_TOTAL_WEIGHT}`);
}
