import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../mesh.ts';
import { type Host, Network } from './network.ts';

withPeer('network-namespaces', () => {
  describe.each(['nft', 'legacy'])('the rules of capture in force, with iptables-%s', (kind) => {
    let network: Network;
    let host: Host;
    let folder: string;
    let env: Record<string, string>;

    beforeAll(() => {
      network = new Network();
      host = network.add('rules');
      // A host where this kind is what `iptables` means.
      folder = mkdtempSync(join(tmpdir(), 'flotilla-iptables-'));
      for (const version of ['iptables', 'ip6tables']) {
        for (const tool of ['-save', '-restore']) {
          symlinkSync(`/usr/sbin/${version}-${kind}${tool}`, join(folder, `${version}${tool}`));
        }
      }
      env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    });
    afterAll(() => {
      network?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const capture = (...settings: string[]) =>
      network.run(host, [process.execPath, program, 'capture', ...settings], { env });
    /** All of both nat tables and the loopback interface, without dates and counters. */
    const state = async (): Promise<string> => {
      const parts = await Promise.all([
        network.run(host, ['iptables-save', '-t', 'nat'], { env }),
        network.run(host, ['ip6tables-save', '-t', 'nat'], { env }),
        network.run(host, ['ip', '-6', '-o', 'addr', 'show', 'dev', 'lo', 'scope', 'global']),
      ]);
      return parts.map(({ stdout }) => stdout.replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '')).join('');
    };

    it('are what --print shows, and printing changes nothing', async () => {
      const before = await state();
      const { stdout } = await capture('--print', '--exclude-outbound-ranges', '10.1.0.0/16,fd01::/16');
      expect(await state()).toBe(before);
      const script = await network.run(host, ['sh', '-c', stdout], { env });
      expect(script).toMatchObject({ code: 0, stderr: '' });
      const printed = await state();
      await capture('--clean');
      await capture('--exclude-outbound-ranges', '10.1.0.0/16,fd01::/16');
      expect(await state()).toBe(printed);
      expect(printed).toContain('-d 10.1.0.0/16 -j RETURN');
      expect(printed).toContain('-d fd01::/16 -j RETURN');
    });

    it('are the same after a second time, replaced by other settings, and gone after --clean', async () => {
      await capture('--clean');
      const empty = await state();
      await capture();
      const once = await state();
      expect(await capture()).toMatchObject({ code: 0 });
      expect(await state()).toBe(once);
      await capture('--exclude-inbound-ports', '9', '--ipv6', 'off');
      const replaced = await state();
      expect(replaced).toContain('--dport 9 -j RETURN');
      expect(replaced).not.toContain('::6');
      await capture('--clean');
      expect(await state()).toBe(empty);
      expect(await capture('--clean')).toMatchObject({ code: 0 });
    });
  });

  describe('capture that cannot be had', () => {
    let network: Network;
    let host: Host;

    beforeAll(() => {
      network = new Network();
      host = network.add('rules');
    });
    afterAll(() => network?.close());

    const capture = [process.execPath, program, 'capture'];

    it('names the capability that is missing', async () => {
      const result = await network.run(host, ['setpriv', '--bounding-set', '-net_admin', ...capture]);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('may not change the firewall');
      expect(result.stderr).toContain('NET_ADMIN');
    });

    it('names the package that is missing', async () => {
      // A host without the tools: an empty file system in their place.
      const hide = 'for folder in /usr/sbin /sbin /usr/local/sbin; do mount -t tmpfs none $folder; done; exec "$@"';
      const result = await network.run(host, ['unshare', '--mount', 'sh', '-c', hide, 'hide', ...capture]);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('is not installed');
      expect(result.stderr).toContain('Install the package iptables');
    });

    it('says every fault of its settings at once, and leaves no rule', async () => {
      const result = await network.run(host, [...capture, '--inbound-ports', 'x', '--outbound-ranges', '1.2.3.4/99']);
      expect(result.code).toBe(2);
      expect(result.stderr).toContain('"x" is not a port');
      expect(result.stderr).toContain('"1.2.3.4/99" is not a range');
      expect((await network.run(host, ['iptables-save', '-t', 'nat'])).stdout).not.toContain('FLOTILLA');
    });
  });
});
