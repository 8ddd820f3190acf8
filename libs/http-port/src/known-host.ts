import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { FlotillaError } from '@flotilla/runtime';

/**
 * Domains that no public name server answers for: nobody from outside can make a name in them point at this machine.
 * Kubernetes' names of services, the names of loopback (RFC 6761), and the one for private networks (ICANN, 2024).
 */
const PRIVATE_DOMAINS = ['.localhost', '.svc', '.svc.cluster.local', '.internal'] as const;

/** Tells the names by which a port of ours may be called from the others. */
export type IsKnownHost = (name: string) => boolean;

/**
 * A web page makes its own name resolve to this machine and is then of the same origin as the port (DNS rebinding).
 * That takes a name of the public DNS. So an IP address, a name without a full stop (`localhost`, the name of a service
 * in compose), a name in a private domain and the name of this machine are known, and of the others only `names`:
 * `mesh.example.com`, or `*.example.com` for all below it. Throws `invalid` for what is no name.
 */
export function compileKnownHosts(names: readonly string[], ownName: string = hostname()): IsKnownHost {
  const exact = new Set([ownName.toLowerCase()]);
  const suffixes: string[] = [...PRIVATE_DOMAINS];
  for (const name of names) {
    if (!/^(?:\*\.)?[\w-]+(?:\.[\w-]+)*$/.test(name)) {
      throw new FlotillaError('invalid', `"${name}" is not a host name`, {
        hint: 'Write a name without a port, such as mesh.example.com, or *.example.com.',
      });
    }
    if (name.startsWith('*.')) suffixes.push(name.slice(1).toLowerCase());
    else exact.add(name.toLowerCase());
  }
  return (name) =>
    isIP(name) !== 0 || !name.includes('.') || exact.has(name) || suffixes.some((suffix) => name.endsWith(suffix));
}

/**
 * The name in a Host field or `:authority`, in lower case, without port, brackets and final full stop. Null for what
 * is none (RFC 9110, section 7.2).
 */
export function hostNameOf(host: string): string | null {
  const parts = /^(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]\\]+))(?::\d*)?$/i.exec(host);
  const name = (parts?.[1] ?? parts?.[2])?.toLowerCase().replace(/\.$/, '');
  return name === undefined || name === '' ? null : name;
}
