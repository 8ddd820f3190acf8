import { networkInterfaces } from 'node:os';
import { FlotillaError } from '@flotilla/runtime';

type Interfaces = ReturnType<typeof networkInterfaces>;

/**
 * The addresses under which others reach this machine: not loopback, not link-local, IPv4 first, in the order of the
 * interfaces. Throws `system` when there is none.
 */
export function hostAddresses(interfaces: Interfaces = networkInterfaces()): readonly [string, ...string[]] {
  const usable = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(?:169\.254\.|fe80:)/i.test(address));
  const of = (family: string) => usable.filter((entry) => entry.family === family).map(({ address }) => address);
  const [first, ...more] = [...of('IPv4'), ...of('IPv6')];
  if (first !== undefined) return [first, ...more];
  throw new FlotillaError('system', 'this machine has no address but loopback', {
    hint: 'Name the address under which others reach the workload with --ip.',
  });
}
