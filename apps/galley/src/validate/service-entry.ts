import { isIP } from 'node:net';
import { FlotillaError } from '@flotilla/runtime';
import { parseCidr } from '@flotilla/match';
import { FAULT_CODES, isWildcard, quote } from '@flotilla/model';
import type { FaultList } from '@flotilla/model';
import type { ServiceEntry } from '@flotilla/wire/istio/networking/v1alpha3/service_entry_pb.js';
import { ServiceEntry_Resolution as Resolution } from '@flotilla/wire/istio/networking/v1alpha3/service_entry_pb.js';
import { checkLabels, isDnsLabel } from '../decode/header.ts';
import { checkPort, checkProtocol, checkUnique } from './field.ts';
import { checkExportTo, checkHost } from './host.ts';
import { isUnixAddress, validateWorkloadEntry } from './workload-entry.ts';

export function validateServiceEntry(spec: ServiceEntry, faults: FaultList): void {
  if (spec.hosts.length === 0) faults.error(['spec', 'hosts'], 'at least one host is needed');
  spec.hosts.forEach((host, index) => {
    if (host === '*') faults.error(['spec', 'hosts', index], 'the host * would stand for every host there is');
    else checkHost(host, ['spec', 'hosts', index], faults);
  });
  checkExportTo(spec.exportTo, faults);
  checkPorts(spec, faults);
  checkAddresses(spec, faults);
  checkEndpoints(spec, faults);
  checkResolution(spec, faults);
  if (spec.workloadSelector !== undefined) {
    checkLabels(spec.workloadSelector.labels, ['spec', 'workloadSelector', 'labels'], faults);
    if (spec.endpoints.length > 0) {
      faults.unexpected(['spec', 'workloadSelector'], 'endpoints and workloadSelector exclude each other');
    }
  }
}

function checkPorts(spec: ServiceEntry, faults: FaultList): void {
  if (spec.ports.length === 0) {
    faults.warn(FAULT_CODES.schema, ['spec'], 'without ports, the hosts cannot be reached', 'Add ports.');
  }
  spec.ports.forEach((port, index) => {
    const path = ['spec', 'ports', index];
    checkPort(port.number, [...path, 'number'], faults);
    if (port.name === '') faults.error([...path, 'name'], 'a port needs a name');
    else if (!isDnsLabel(port.name)) faults.error([...path, 'name'], `${quote(port.name)} is not the name of a port`);
    checkProtocol(port.protocol, [...path, 'protocol'], faults);
    if (port.targetPort !== 0) checkPort(port.targetPort, [...path, 'targetPort'], faults);
  });
  const pathOf = (name: string) => (index: number) => ['spec', 'ports', index, name];
  checkUnique(spec.ports.map((port) => port.name), pathOf('name'), 'port name', faults); // prettier-ignore
  checkUnique(spec.ports.map((port) => String(port.number)), pathOf('number'), 'port', faults); // prettier-ignore
}

function checkAddresses(spec: ServiceEntry, faults: FaultList): void {
  spec.addresses.forEach((address, index) => {
    const path = ['spec', 'addresses', index];
    if (!address.includes('/')) {
      if (isIP(address) === 0) faults.error(path, `${quote(address)} is neither an IP address nor a range of them`);
      return;
    }
    try {
      parseCidr(address);
    } catch (error) {
      faults.error(path, FlotillaError.from(error).message);
    }
    if (spec.resolution !== Resolution.NONE && spec.resolution !== Resolution.STATIC) {
      faults.error(path, `a range of addresses needs the resolution NONE or STATIC`);
    }
  });
}

function checkEndpoints(spec: ServiceEntry, faults: FaultList): void {
  const names = new Set(spec.ports.map((port) => port.name));
  spec.endpoints.forEach((endpoint, index) => {
    const path = ['spec', 'endpoints', index];
    validateWorkloadEntry(endpoint, path, faults);
    for (const name of Object.keys(endpoint.ports)) {
      if (names.has(name)) continue;
      faults.unexpected([...path, 'ports', name], `the ServiceEntry has no port named ${quote(name)}`);
    }
  });
}

function checkResolution(spec: ServiceEntry, faults: FaultList): void {
  const path = ['spec', 'endpoints'];
  switch (spec.resolution) {
    case Resolution.NONE:
      if (spec.endpoints.length > 0) {
        const message = 'resolution NONE keeps the address of the caller, so that endpoints mean nothing';
        faults.unexpected(path, message, 'Write resolution: STATIC or DNS.');
      }
      break;
    case Resolution.STATIC:
      spec.endpoints.forEach(({ address }, index) => {
        if (address === '' || isUnixAddress(address) || isIP(address) !== 0) return;
        const hint = 'Write resolution: DNS to have names looked up.';
        faults.error(
          [...path, index, 'address'],
          `resolution STATIC needs an IP address, but this is ${quote(address)}`,
          hint,
        );
      });
      break;
    case Resolution.DNS:
    case Resolution.DNS_ROUND_ROBIN:
      checkDns(spec, faults);
      break;
    case Resolution.DYNAMIC_DNS:
      break;
  }
}

function checkDns(spec: ServiceEntry, faults: FaultList): void {
  const mode = Resolution[spec.resolution];
  if (spec.resolution === Resolution.DNS_ROUND_ROBIN && spec.endpoints.length > 1) {
    faults.error(['spec', 'endpoints'], 'resolution DNS_ROUND_ROBIN allows one endpoint at most');
  }
  spec.endpoints.forEach(({ address }, index) => {
    if (!isUnixAddress(address)) return;
    faults.error(['spec', 'endpoints', index, 'address'], `resolution ${mode} cannot look up a Unix socket`);
  });
  if (spec.endpoints.length > 0 || spec.workloadSelector !== undefined) return;
  spec.hosts.forEach((host, index) => {
    if (!isWildcard(host)) return;
    faults.error(['spec', 'hosts', index], `resolution ${mode} cannot look up a wildcard`, 'Add endpoints.');
  });
}
