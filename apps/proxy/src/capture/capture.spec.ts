import { describe, expect, it } from 'vitest';
import { describePlan, planCapture, runPlan } from './capture.ts';
import type { ProgramResult, RunProgram } from './program.ts';
import { readCaptureSettings } from './settings.ts';

const EMPTY = '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n';
const LOOPBACK = '00000000000000000000000000000001 01 80 10 80       lo\n';

const done = (stdout = ''): ProgramResult => ({ code: 0, stdout, stderr: '', isMissing: false });
const failed = (stderr: string): ProgramResult => ({ code: 4, stdout: '', stderr, isMissing: false });
const missing: ProgramResult = { code: -1, stdout: '', stderr: 'spawn ENOENT', isMissing: true };

/** A host where every program does as it is told but for these. */
function hostWith(answers: Readonly<Record<string, ProgramResult>>, ipv6Addresses: string | null = LOOPBACK) {
  const calls: string[] = [];
  const run: RunProgram = ([program = '', ...args], input = '') => {
    calls.push([program, ...args].join(' ') + (input.includes('-A FLOTILLA') ? ' (rules)' : ''));
    return Promise.resolve(answers[program] ?? done(program.endsWith('-save') ? EMPTY : ''));
  };
  return { run, ipv6Addresses, calls };
}

const settings = (...argv: string[]) => readCaptureSettings(argv, {});
const capture = async (host: ReturnType<typeof hostWith>, ...argv: string[]) => {
  const plan = await planCapture(settings(...argv), host);
  await runPlan(plan, host.run);
  return plan;
};

describe('capture', () => {
  it('changes each family in one transaction', async () => {
    const host = hostWith({});
    await capture(host);
    expect(host.calls.filter((call) => !call.includes('-save'))).toEqual([
      'ip -6 addr add ::6/128 dev lo',
      'ip6tables-restore --noflush --wait 10 (rules)',
      'iptables-restore --noflush --wait 10 (rules)',
    ]);
  });

  it('takes IPv6 back when IPv4 fails', async () => {
    const host = hostWith({
      'iptables-restore': failed("iptables-restore: line 7 failed: unknown option '--uid-owner'"),
    });
    await expect(capture(host)).rejects.toThrow('owner');
    expect(host.calls.slice(-2)).toEqual(['ip6tables-restore --noflush --wait 10', 'ip -6 addr del ::6/128 dev lo']);
  });

  it('finds the iptables that works', async () => {
    const host = hostWith({
      'iptables-save': failed('Failed to initialize nft: Protocol not supported'),
      'iptables-nft-save': missing,
    });
    await capture(host, '--ipv6', 'off');
    expect(host.calls).toContain('iptables-legacy-restore --noflush --wait 10 (rules)');
  });

  it('leaves IPv6 alone, and says so, where its firewall cannot redirect', async () => {
    const broken = failed("can't initialize ip6tables table `nat': Table does not exist");
    const host = hostWith({ 'ip6tables-save': broken, 'ip6tables-nft-save': broken, 'ip6tables-legacy-save': broken });
    const { notes } = await capture(host);
    expect(notes.join()).toContain('IPv6 is left alone');
    await expect(capture(host, '--ipv6', 'on')).rejects.toThrow('the kernel lacks what redirecting needs');
  });

  it.each([
    ['iptables is not installed', { code: missing }, /iptables.* is not installed/],
    [
      'there is no NET_ADMIN',
      { code: failed('iptables-save: Permission denied (you must be root)') },
      /may not change the firewall/,
    ],
    [
      'there is no nat table',
      { code: failed("can't initialize iptables table `nat': Table does not exist") },
      /the kernel lacks/,
    ],
  ])('says in one message that %s', async (_, { code }, message) => {
    const host = hostWith({ 'iptables-save': code, 'iptables-nft-save': missing, 'iptables-legacy-save': missing });
    await expect(capture(host)).rejects.toThrow(message);
  });

  it('says what to install for IPv6, and takes nothing for granted', async () => {
    await expect(capture(hostWith({ ip: missing }))).rejects.toThrow('ip is not installed');
    await expect(capture(hostWith({}, null), '--ipv6', 'on')).rejects.toThrow('has no IPv6');
  });

  it('replaces what is there, and removes it', async () => {
    const saved = `*nat\n:PREROUTING ACCEPT [0:0]\n:FLOTILLA_OLD - [0:0]\n-A PREROUTING -p tcp -j FLOTILLA_OLD\n-A FLOTILLA_OLD -p tcp -j RETURN\n-A PREROUTING -j OTHER\nCOMMIT\n`;
    const host = hostWith({ 'iptables-save': done(saved) }, null);
    const replaced = describePlan(await planCapture(settings(), host));
    expect(replaced).toContain('-D PREROUTING -p tcp -j FLOTILLA_OLD\n');
    expect(replaced).toContain('-X FLOTILLA_OLD\n');
    expect(replaced).not.toContain('OTHER');
    expect(describePlan(await planCapture(null, host))).toBe(
      "iptables-restore --noflush --wait 10 <<'END'\n*nat\n:FLOTILLA_OLD - [0:0]\n-D PREROUTING -p tcp -j FLOTILLA_OLD\n-X FLOTILLA_OLD\nCOMMIT\nEND\n",
    );
  });
});
