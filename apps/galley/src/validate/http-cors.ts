import type { FaultList, FieldPath } from '@flotilla/model';
import type { CorsPolicy } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { checkStringMatch } from './string-match.ts';

/** Rules of `corsPolicy`: origins that can be compared with. */
export function checkCors(policy: CorsPolicy | undefined, path: FieldPath, faults: FaultList): void {
  policy?.allowOrigins.forEach((origin, index) => checkStringMatch(origin, [...path, 'allowOrigins', index], faults));
}
