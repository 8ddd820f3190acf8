import { isIP } from 'node:net';
import { FAULT_CODES, protocolByName, quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import type { Gateway, Server } from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import { checkLabels } from '../decode/header.ts';
import { checkPort, checkProtocol, checkUnique } from './field.ts';
import { checkScopedHost } from './host.ts';
import { checkServerTls } from './server-tls.ts';

export function validateGateway(spec: Gateway, faults: FaultList): void {
  if (spec.servers.length === 0) faults.error(['spec', 'servers'], 'a gateway needs at least one server');
  checkLabels(spec.selector, ['spec', 'selector'], faults);
  spec.servers.forEach((server, index) => checkServer(server, ['spec', 'servers', index], faults));
  checkUnique(
    spec.servers.map((server) => server.port?.name ?? ''),
    (index) => ['spec', 'servers', index, 'port', 'name'],
    'port name',
    faults,
  );
  checkUnique(
    spec.servers.map((server) => server.name),
    (index) => ['spec', 'servers', index, 'name'],
    'server name',
    faults,
  );
}

function checkServer(server: Server, path: FieldPath, faults: FaultList): void {
  if (server.hosts.length === 0)
    faults.error([...path, 'hosts'], 'a server needs at least one host', 'Add "*" for all.');
  server.hosts.forEach((host, index) => {
    checkScopedHost(host, [...path, 'hosts', index], { needsNamespace: false, allowsNone: false }, faults);
  });
  if (server.bind !== '' && isIP(server.bind) === 0) {
    faults.error([...path, 'bind'], `${quote(server.bind)} is not an IP address`);
  }
  const { port } = server;
  if (port === undefined) {
    faults.error([...path, 'port'], '"port" is missing');
    return;
  }
  checkPort(port.number, [...path, 'port', 'number'], faults);
  if (port.name === '') faults.error([...path, 'port'], 'a port needs a name', 'Name it, such as http.');
  checkServerProtocol(port.protocol, [...path, 'port'], faults);
  checkServerTls(server.tls, port.protocol.toUpperCase(), [...path, 'tls'], faults);
}

const SERVED_PROTOCOLS: readonly string[] = ['HTTP', 'HTTPS', 'TLS'];

function checkServerProtocol(protocol: string, path: FieldPath, faults: FaultList): void {
  const at = [...path, 'protocol'];
  if (protocol === '') {
    faults.error(path, 'a port needs a protocol', `Supported: ${SERVED_PROTOCOLS.join(', ')}.`);
    return;
  }
  const known = protocolByName(protocol);
  if (known === null) checkProtocol(protocol, at, faults);
  else if (!SERVED_PROTOCOLS.includes(known)) {
    faults.add({
      severity: 'error',
      code: FAULT_CODES.unsupported,
      path: at,
      subject: 'value',
      message: `gateways do not serve ${quote(protocol)} yet`,
      hint: `Supported: ${SERVED_PROTOCOLS.join(', ')}. If it were ignored, the port would not answer.`,
    });
  }
}
