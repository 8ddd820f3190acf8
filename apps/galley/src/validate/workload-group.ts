import { isIP } from 'node:net';
import { ADDRESSES_ANNOTATION, type FaultList, type Labels, PROXY_TYPE_ANNOTATION, quote } from '@flotilla/model';
import type { WorkloadGroup } from '@flotilla/wire/istio/networking/v1alpha3/workload_group_pb.js';
import { checkLabels, isDnsLabel } from '../decode/header.ts';
import { checkPort } from './field.ts';

/** A WorkloadGroup: what its workloads have in common. Their addresses are their own. */
export function validateWorkloadGroup({ metadata, template }: WorkloadGroup, faults: FaultList): void {
  checkLabels(metadata?.labels ?? {}, ['spec', 'metadata', 'labels'], faults);
  const path = ['spec', 'template'];
  if (template === undefined) {
    faults.error(path, '"template" is missing', 'Write template: {} for workloads without anything in common.');
    return;
  }
  for (const [name, port] of Object.entries(template.ports)) {
    if (!isDnsLabel(name)) faults.unexpected([...path, 'ports', name], `${quote(name)} is not the name of a port`);
    checkPort(port, [...path, 'ports', name], faults);
  }
  checkLabels(template.labels, [...path, 'labels'], faults);
  if (template.serviceAccount !== '' && !template.serviceAccount.split('.').every(isDnsLabel)) {
    faults.error([...path, 'serviceAccount'], `${quote(template.serviceAccount)} is not the name of a service account`);
  }
}

/** What annotations say of the proxies of a workload, on whatever describes it. */
export function validateProxyAnnotations(annotations: Labels, faults: FaultList): void {
  const type = annotations[PROXY_TYPE_ANNOTATION];
  if (type !== undefined && type !== 'sidecar' && type !== 'router') {
    const at = ['metadata', 'annotations', PROXY_TYPE_ANNOTATION];
    faults.error(at, `${quote(type)} is not a type of proxy`, 'Write sidecar, or router for a gateway.');
  }
  const addresses = annotations[ADDRESSES_ANNOTATION];
  const wrong = addresses?.split(',').find((address) => isIP(address.trim()) === 0);
  if (wrong !== undefined) {
    const at = ['metadata', 'annotations', ADDRESSES_ANNOTATION];
    faults.error(at, `${quote(wrong)} is not an IP address`, 'Write addresses, separated by commas.');
  }
}
