import { expect, it } from 'vitest';
import { hostAddresses } from './host-addresses.ts';

type Interfaces = NonNullable<Parameters<typeof hostAddresses>[0]>;

const address = (text: string, internal = false): NonNullable<Interfaces[string]>[number] =>
  text.includes(':')
    ? { address: text, family: 'IPv6', internal, netmask: '', mac: '', cidr: null, scopeid: 0 }
    : { address: text, family: 'IPv4', internal, netmask: '', mac: '', cidr: null };

it('are those that others can dial, IPv4 first', () => {
  expect(
    hostAddresses({
      lo: [address('127.0.0.1', true), address('::1', true)],
      eth0: [address('fe80::1'), address('fd00::5'), address('10.0.0.5')],
      eth1: [address('169.254.7.7'), address('192.168.0.5')],
    }),
  ).toEqual(['10.0.0.5', '192.168.0.5', 'fd00::5']);
});

it('are missing on a machine with loopback only, which is said', () => {
  expect(() => hostAddresses({ lo: [address('127.0.0.1', true)] })).toThrow('no address but loopback');
});
