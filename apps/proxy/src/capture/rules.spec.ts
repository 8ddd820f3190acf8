import { describe, expect, it } from 'vitest';
import { captureRules, IPV4, IPV6 } from './rules.ts';
import { readCaptureSettings } from './settings.ts';

const rules = (argv: readonly string[], family = IPV4) => captureRules(readCaptureSettings(argv, {}), family).chains;
const inbound = (argv: readonly string[]) => rules(argv).get('FLOTILLA_INBOUND') ?? [];
const outbound = (argv: readonly string[], family = IPV4) => rules(argv, family).get('FLOTILLA_OUTPUT') ?? [];

describe('rules', () => {
  it('touch nothing but TCP', () => {
    const { jumps, chains } = captureRules(readCaptureSettings([], {}), IPV4);
    for (const jump of jumps) expect(jump).toMatch(/ -p tcp -j FLOTILLA_/);
    for (const rule of [...chains.values()].flat()) expect(rule).not.toContain('udp');
  });

  it.each([15_000, 15_008, 15_020, 15_021, 15_090, 22])('never capture inbound port %i under *', (port) => {
    const chain = inbound([]);
    expect(chain).toContain(`-p tcp --dport ${port} -j RETURN`);
    expect(chain.at(-1)).toBe('-p tcp -j FLOTILLA_IN_REDIRECT');
  });

  it('capture only the inbound ports that are named, less the excluded ones', () => {
    expect(inbound(['--inbound-ports', '80,443,15021', '--exclude-inbound-ports', '443'])).toEqual([
      '-p tcp --dport 80 -j FLOTILLA_IN_REDIRECT',
    ]);
  });

  it.each([
    ['IPv4', IPV4, '127.0.0.0/8', '127.0.0.6/32', '10.0.0.0/8'],
    ['IPv6', IPV6, '::1/128', '::6/128', 'fd00::/8'],
  ])('%s: leave the proxy alone, but for calls to its own workload, and keep to ranges of the family', (...row) => {
    const [, family, loopback, source, range] = row;
    const argv = ['--outbound-ranges', '10.0.0.0/8,fd00::/8', '--proxy-uid', '7', '--proxy-gid', '8'];
    expect(outbound(argv, family)).toEqual([
      `-s ${source} -o lo -j RETURN`,
      `! -d ${loopback} -o lo -p tcp -m owner --uid-owner 7 -j FLOTILLA_INBOUND`,
      `! -d ${loopback} -o lo -p tcp -m owner --gid-owner 8 -j FLOTILLA_INBOUND`,
      '-o lo -j RETURN',
      '-m owner --uid-owner 7 -j RETURN',
      '-m owner --gid-owner 8 -j RETURN',
      `-d ${loopback} -j RETURN`,
      `-d ${range} -p tcp -j FLOTILLA_REDIRECT`,
    ]);
  });

  it('decide on excluded ports first, then excluded ranges, then included ports', () => {
    const chain = outbound([
      ...['--exclude-outbound-ports', '6379', '--exclude-outbound-ranges', '10.1.0.0/16'],
      ...['--outbound-ports', '80', '--outbound-ranges', ''],
    ]);
    expect(chain[0]).toBe('-p tcp --dport 6379 -j RETURN');
    expect(chain.slice(-2)).toEqual(['-d 10.1.0.0/16 -j RETURN', '-p tcp --dport 80 -j FLOTILLA_REDIRECT']);
  });
});
