import type { FaultList } from '@flotilla/model';
import type { PeerAuthentication } from '@flotilla/wire/istio/security/v1beta1/peer_authentication_pb.js';
import { checkLabels } from '../decode/header.ts';

export function validatePeerAuthentication(spec: PeerAuthentication, faults: FaultList): void {
  const labels = spec.selector?.matchLabels ?? {};
  checkLabels(labels, ['spec', 'selector', 'matchLabels'], faults);
  const ports = Object.keys(spec.portLevelMtls);
  if (ports.length > 0 && Object.keys(labels).length === 0) {
    const message = 'settings per port need a selector, since workloads differ in their ports';
    faults.error(['spec', 'portLevelMtls'], message, 'Add selector.matchLabels.');
  }
  for (const port of ports) {
    const number = Number(port);
    if (number >= 1 && number <= 65_535) continue;
    faults.unexpected(['spec', 'portLevelMtls', port], `must be a port between 1 and 65535, but is ${port}`);
  }
}
