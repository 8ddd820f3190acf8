import { FlotillaError } from '@flotilla/runtime';
import { type NatState, parseNatState, transition } from './nat-state.ts';
import type { RunProgram } from './program.ts';
import { CHAIN_PREFIX } from './rules.ts';

/** The nat table of one address family, through the first of the host's tools that can reach it. */
export interface Firewall {
  readonly version: 4 | 6;
  /** `iptables-restore` or one of its siblings. */
  readonly restoreProgram: string;
  readonly state: NatState;
}

/** The host's choice first; then each kind by name, for kernels that have only one of them. */
const KINDS = ['', '-nft', '-legacy'];

/** Names of the kind, such as `ip6tables-legacy`. */
function nameOf(version: 4 | 6, kind: string): string {
  return `${version === 4 ? 'iptables' : 'ip6tables'}${kind}`;
}

/**
 * Opens the nat table. Throws `system` when the tools are missing, when this process may not use them, or when the
 * kernel has no such table.
 */
export async function openFirewall(version: 4 | 6, run: RunProgram): Promise<Firewall> {
  let failure: FlotillaError | null = null;
  for (const kind of KINDS) {
    const name = nameOf(version, kind);
    const result = await run([`${name}-save`, '-t', 'nat']);
    if (result.code === 0) {
      return { version, restoreProgram: `${name}-restore`, state: parseNatState(result.stdout, CHAIN_PREFIX) };
    }
    const reason = firewallFailure(name, result.isMissing, result.stderr);
    // A kind that is there and fails says more than one that is not.
    if (failure === null || !result.isMissing) failure = reason;
    if (isForbidden(result.stderr)) break;
  }
  throw failure ?? new FlotillaError('internal', 'no kind of iptables was tried');
}

/** The command that changes the table, null when there is nothing to change. Its input is one transaction. */
export function changeCommand(
  firewall: Firewall,
  from: NatState,
  to: NatState,
): { readonly command: readonly string[]; readonly input: string } | null {
  const input = transition(from, to);
  return input === null ? null : { command: [firewall.restoreProgram, '--noflush', '--wait', '10'], input };
}

function isForbidden(stderr: string): boolean {
  return /permission denied|operation not permitted|must be root/i.test(stderr);
}

/** Says what is missing, and what to do. */
export function firewallFailure(name: string, isMissing: boolean, stderr: string): FlotillaError {
  const said = stderr.trim().split('\n')[0] ?? '';
  if (isMissing) {
    return new FlotillaError('system', `${name} is not installed`, {
      hint: 'Install the package iptables; it holds ip6tables too.',
    });
  }
  if (isForbidden(stderr)) {
    return new FlotillaError('system', `this process may not change the firewall (${said})`, {
      hint: 'Run as root with the capability NET_ADMIN: docker run --cap-add NET_ADMIN, in Kubernetes securityContext.capabilities.add: [NET_ADMIN].',
    });
  }
  const module = /\bowner\b/.test(stderr)
    ? 'xt_owner'
    : /REDIRECT/.test(stderr)
      ? 'xt_REDIRECT'
      : /nat['"`]?\b|table/i.test(stderr)
        ? name.startsWith('ip6')
          ? 'ip6table_nat (legacy) or nft_chain_nat'
          : 'iptable_nat (legacy) or nft_chain_nat'
        : null;
  if (module !== null) {
    return new FlotillaError('system', `${name}: the kernel lacks what redirecting needs (${said})`, {
      hint: `Load the kernel module on the host: modprobe ${module}`,
    });
  }
  return new FlotillaError('system', `${name} failed: ${said === '' ? 'it gave no reason' : said}`, {
    hint: 'flotilla capture --print shows what it was given.',
  });
}
