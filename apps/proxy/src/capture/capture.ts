import { readFileSync } from 'node:fs';
import { FlotillaError } from '@flotilla/runtime';
import { changeCommand, type Firewall, firewallFailure, openFirewall } from './firewall.ts';
import { NOTHING } from './nat-state.ts';
import type { RunProgram } from './program.ts';
import { captureRules, IPV4, IPV6 } from './rules.ts';
import type { CaptureSettings } from './settings.ts';

/** One command of a change, and how to take it back. */
export interface Step {
  readonly command: readonly string[];
  readonly input: string;
  readonly undo: { readonly command: readonly string[]; readonly input: string } | null;
}

/** What has to be run to come from what is in force to what is wanted. */
export interface CapturePlan {
  readonly steps: readonly Step[];
  /** What is left out and why. */
  readonly notes: readonly string[];
}

export interface Host {
  readonly run: RunProgram;
  /** Text of /proc/net/if_inet6; null without IPv6. */
  readonly ipv6Addresses: string | null;
}

const INBOUND_SOURCE_V6 = '::6/128';
const INBOUND_SOURCE_V6_HEX = '00000000000000000000000000000006';

/** This host, as far as capture looks at it. */
export function openHost(run: RunProgram): Host {
  let ipv6Addresses: string | null = null;
  try {
    ipv6Addresses = readFileSync('/proc/net/if_inet6', 'utf8');
  } catch {
    // A kernel without IPv6 has no such file.
  }
  return { run, ipv6Addresses: ipv6Addresses === '' ? null : ipv6Addresses };
}

/** Plans the capture of `settings`, or, with null, the removal of all traces. Throws `system` when it cannot be had. */
export async function planCapture(settings: CaptureSettings | null, host: Host): Promise<CapturePlan> {
  const notes: string[] = [];
  const steps: Step[] = [];
  const v4 = await openFirewall(4, host.run);
  const v6 = await openIpv6(settings, host, notes);
  const capturesV6 = settings !== null && settings.ipv6 !== 'off' && v6 !== null;
  if (v6 !== null && host.ipv6Addresses !== null) steps.push(...sourceAddressSteps(capturesV6, host.ipv6Addresses));
  if (v6 !== null) steps.push(...changeSteps(v6, capturesV6 ? captureRules(settings, IPV6) : NOTHING));
  steps.push(...changeSteps(v4, settings === null ? NOTHING : captureRules(settings, IPV4)));
  return { steps, notes };
}

/** Runs a plan. When a step fails the ones before it are taken back; throws `system` then. */
export async function runPlan({ steps }: CapturePlan, run: RunProgram): Promise<void> {
  const done: Step[] = [];
  for (const step of steps) {
    const { code, stderr, isMissing } = await run(step.command, step.input);
    if (code === 0) {
      done.push(step);
      continue;
    }
    for (const { undo } of done.reverse()) if (undo !== null) await run(undo.command, undo.input);
    const [program = ''] = step.command;
    if (program === 'ip') throw addressFailure(isMissing, stderr);
    throw firewallFailure(program.replace('-restore', ''), isMissing, stderr);
  }
}

/** The plan as a shell script. */
export function describePlan({ steps, notes }: CapturePlan): string {
  const blocks = steps.map(({ command, input }) => {
    const line = command.join(' ');
    return input === '' ? `${line}\n` : `${line} <<'END'\n${input}END\n`;
  });
  return [...notes.map((note) => `# ${note}\n`), ...blocks].join('');
}

async function openIpv6(settings: CaptureSettings | null, host: Host, notes: string[]): Promise<Firewall | null> {
  const isWanted = settings?.ipv6 === 'on';
  if (host.ipv6Addresses === null) {
    if (isWanted) {
      throw new FlotillaError('system', 'this network namespace has no IPv6', {
        hint: 'Use --ipv6 auto, or switch it on: sysctl net.ipv6.conf.all.disable_ipv6=0',
      });
    }
    return null;
  }
  try {
    return await openFirewall(6, host.run);
  } catch (error) {
    const failure = FlotillaError.from(error);
    if (isWanted) throw failure;
    if (settings?.ipv6 !== 'off') notes.push(`IPv6 is left alone: ${failure.message}`);
    return null;
  }
}

/** The address from which the proxy calls its application must be one of this host's. */
function sourceAddressSteps(isWanted: boolean, addresses: string): Step[] {
  const isThere = addresses.includes(`${INBOUND_SOURCE_V6_HEX} `);
  if (isWanted === isThere) return [];
  const change = (verb: string) => ({ command: ['ip', '-6', 'addr', verb, INBOUND_SOURCE_V6, 'dev', 'lo'], input: '' });
  return [{ ...change(isWanted ? 'add' : 'del'), undo: change(isWanted ? 'del' : 'add') }];
}

function changeSteps(firewall: Firewall, to: Parameters<typeof changeCommand>[2]): Step[] {
  const change = changeCommand(firewall, firewall.state, to);
  return change === null ? [] : [{ ...change, undo: changeCommand(firewall, to, firewall.state) }];
}

function addressFailure(isMissing: boolean, stderr: string): FlotillaError {
  if (isMissing) {
    return new FlotillaError('system', 'ip is not installed, and IPv6 needs an address on the loopback interface', {
      hint: 'Install the package iproute2, or capture IPv4 only with --ipv6 off.',
    });
  }
  return new FlotillaError('system', `cannot give the loopback interface an address (${stderr.trim()})`, {
    hint: 'It needs the capability NET_ADMIN; --ipv6 off captures IPv4 only.',
  });
}
