import { quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import { isDnsLabel } from '../decode/header.ts';

/** `mesh`, a name in the own namespace, or `namespace/name`. */
export function checkGatewayName(name: string, path: FieldPath, faults: FaultList): void {
  const parts = name.split('/');
  const isGood = parts.length <= 2 && parts.every((part) => part.split('.').every(isDnsLabel));
  if (!isGood) faults.error(path, `${quote(name)} is not the name of a gateway`, 'Write name or namespace/name.');
}
