import { isIP } from 'node:net';
import { quote } from '@flotilla/model';
import type { FaultList } from '@flotilla/model';
import type { IstioEgressListener, Sidecar } from '@flotilla/wire/istio/networking/v1alpha3/sidecar_pb.js';
import { checkLabels } from '../decode/header.ts';
import { checkPort, checkProtocol } from './field.ts';
import { checkScopedHost } from './host.ts';

export function validateSidecar(spec: Sidecar, faults: FaultList): void {
  const isEmpty = spec.egress.length === 0 && spec.ingress.length === 0;
  if (isEmpty && spec.outboundTrafficPolicy === undefined && spec.inboundConnectionPool === undefined) {
    faults.error(['spec'], 'the Sidecar changes nothing', 'Add egress or outboundTrafficPolicy.');
  }
  if (spec.workloadSelector !== undefined) {
    checkLabels(spec.workloadSelector.labels, ['spec', 'workloadSelector', 'labels'], faults);
  }
  const ports = new Set<string>();
  spec.egress.forEach((listener, index) => {
    checkEgress(listener, index, index === spec.egress.length - 1, faults);
    if (listener.port === undefined) return;
    const place = `${listener.bind}:${listener.port.number}`;
    if (ports.has(place)) {
      faults.error(['spec', 'egress', index, 'port'], `port ${listener.port.number} has a listener before this one`);
    }
    ports.add(place);
  });
}

function checkEgress(listener: IstioEgressListener, index: number, isLast: boolean, faults: FaultList): void {
  const path = ['spec', 'egress', index];
  if (listener.hosts.length === 0) faults.error([...path, 'hosts'], 'at least one host is needed');
  listener.hosts.forEach((host, each) => {
    checkScopedHost(host, [...path, 'hosts', each], { needsNamespace: true, allowsNone: true }, faults);
  });
  if (listener.port === undefined) {
    if (!isLast) faults.error(path, 'a listener without a port takes what is left, so it must be the last');
    if (listener.bind !== '') faults.unexpected([...path, 'bind'], 'bind needs a port');
    return;
  }
  checkPort(listener.port.number, [...path, 'port', 'number'], faults);
  checkProtocol(listener.port.protocol, [...path, 'port', 'protocol'], faults);
  if (listener.bind !== '' && isIP(listener.bind) === 0) {
    faults.error([...path, 'bind'], `${quote(listener.bind)} is not an IP address`);
  }
}
