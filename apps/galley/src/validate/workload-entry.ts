import { isIP } from 'node:net';
import { quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import type { WorkloadEntry } from '@flotilla/wire/istio/networking/v1alpha3/workload_entry_pb.js';
import { checkLabels, isDnsLabel } from '../decode/header.ts';
import { checkPort } from './field.ts';
import { isHostName } from './host.ts';

/** A WorkloadEntry, of its own or as an endpoint of a ServiceEntry. */
export function validateWorkloadEntry(entry: WorkloadEntry, path: FieldPath, faults: FaultList): void {
  checkAddress(entry, path, faults);
  for (const [name, port] of Object.entries(entry.ports)) {
    if (!isDnsLabel(name)) faults.unexpected([...path, 'ports', name], `${quote(name)} is not the name of a port`);
    checkPort(port, [...path, 'ports', name], faults);
  }
  checkLabels(entry.labels, [...path, 'labels'], faults);
  if (entry.serviceAccount !== '' && !entry.serviceAccount.split('.').every(isDnsLabel)) {
    faults.error([...path, 'serviceAccount'], `${quote(entry.serviceAccount)} is not the name of a service account`);
  }
}

const UNIX_PREFIX = 'unix://';

/** Whether the address is a Unix socket's path: `unix:///run/app.sock`, or `unix://@name` for an abstract one. */
export function isUnixAddress(address: string): boolean {
  return address.startsWith(UNIX_PREFIX);
}

function checkAddress(entry: WorkloadEntry, path: FieldPath, faults: FaultList): void {
  const { address, network } = entry;
  const at = [...path, 'address'];
  if (address === '') {
    if (network === '') faults.error(at, '"address" is missing', 'Write an IP address or a host name.');
    return;
  }
  if (isUnixAddress(address)) {
    const socket = address.slice(UNIX_PREFIX.length);
    if (!socket.startsWith('/') && !socket.startsWith('@'))
      faults.error(at, 'the path of a Unix socket must be absolute');
    if (Object.keys(entry.ports).length > 0) faults.error([...path, 'ports'], 'a Unix socket has no ports');
    return;
  }
  if (isIP(address) === 0 && !isHostName(address)) {
    faults.error(at, `${quote(address)} is neither an IP address nor a host name`);
  }
}
