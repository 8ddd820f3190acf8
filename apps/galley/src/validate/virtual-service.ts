import { FAULT_CODES, isInMesh } from '@flotilla/model';
import type { FaultList } from '@flotilla/model';
import type { TCPRoute, VirtualService } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { FieldPath } from '@flotilla/model';
import { checkLabels } from '../decode/header.ts';
import { checkWeights } from './destination.ts';
import { checkPort, checkUnique } from './field.ts';
import { checkExportTo, checkHost } from './host.ts';
import { checkHttpRoute } from './http-route.ts';
import { checkGatewayName } from './virtual-service-gateways.ts';

export function validateVirtualService(spec: VirtualService, faults: FaultList): void {
  if (spec.hosts.length === 0) checkDelegate(spec, faults);
  else checkHosts(spec, faults);
  spec.gateways.forEach((gateway, index) => checkGatewayName(gateway, ['spec', 'gateways', index], faults));
  checkExportTo(spec.exportTo, faults);
  if (spec.http.length + spec.tcp.length + spec.tls.length === 0) {
    faults.error(['spec'], 'there are no routes', 'Add http or tcp.');
  }
  spec.http.forEach((route, index) => {
    checkHttpRoute(route, ['spec', 'http', index], faults);
    const isLast = index === spec.http.length - 1;
    if (!isLast && route.match.length === 0 && route.delegate === undefined) {
      const message = `the routes after this one are never reached, since it matches every request`;
      faults.warn(FAULT_CODES.unreachableRule, ['spec', 'http', index], message, 'Put it last.');
    }
  });
  checkUnique(
    spec.http.map((route) => route.name),
    (index) => ['spec', 'http', index, 'name'],
    'route name',
    faults,
  );
  spec.tcp.forEach((route, index) => checkTcpRoute(route, ['spec', 'tcp', index], faults));
}

/** Without hosts it is there for others to delegate to, which only HTTP rules can. */
function checkDelegate(spec: VirtualService, faults: FaultList): void {
  if (spec.http.length === 0) faults.error(['spec', 'hosts'], 'at least one host is needed');
  const hint = 'Add hosts, unless other VirtualServices delegate to this one.';
  for (const field of ['gateways', 'tcp', 'tls'] as const) {
    if (spec[field].length > 0) faults.unexpected(['spec', field], `${field} needs hosts`, hint);
  }
  spec.http.forEach(({ delegate }, index) => {
    if (delegate === undefined) return;
    faults.unexpected(['spec', 'http', index, 'delegate'], 'a delegate cannot delegate on', 'Write its rules here.');
  });
}

function checkHosts(spec: VirtualService, faults: FaultList): void {
  spec.hosts.forEach((host, index) => {
    const path = ['spec', 'hosts', index];
    checkHost(host, path, faults);
    if (host === '*' && isInMesh({ spec })) {
      faults.error(path, 'the host * needs a gateway', 'Sidecars route by service: name the services, or a gateway.');
    }
  });
  checkUnique(spec.hosts, (index) => ['spec', 'hosts', index], 'host', faults);
}

function checkTcpRoute(route: TCPRoute, path: FieldPath, faults: FaultList): void {
  if (route.route.length === 0) faults.error(path, 'the route has no destination', 'Add route.');
  checkWeights(route.route, [...path, 'route'], faults);
  route.match.forEach((match, index) => {
    const at = [...path, 'match', index];
    if (match.port !== 0) checkPort(match.port, [...at, 'port'], faults);
    checkLabels(match.sourceLabels, [...at, 'sourceLabels'], faults);
    match.gateways.forEach((name, each) => checkGatewayName(name, [...at, 'gateways', each], faults));
  });
}
