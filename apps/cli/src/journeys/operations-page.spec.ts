import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withoutSettings } from '@flotilla/service/settings';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PortAllocator } from '../supervisor/ports.ts';
import { program, repository } from './mesh.ts';
import { PageShell } from './page-shell.ts';

const page = readFileSync(join(repository, 'docs/operations.md'), 'utf8');
const scripts = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, script]) => script ?? '');
const PORTS = ['8060', '8061', '9901', '9902', '15012', '15013', '15014'];

withPeer('curl', () =>
  describe('docs/operations.md, in order', { timeout: 60_000 }, () => {
    let scratch: string;
    let shell: PageShell;
    const ports = new Map<string, number>();
    const unused = [...scripts];

    /** Runs the next script of the page, which has these words. */
    const next = (words: string): Promise<string> => {
      const script = unused.shift() ?? '';
      expect(script).toContain(words);
      return shell.run(script.replaceAll(/\b\d{4,5}\b/g, (port) => String(ports.get(port) ?? port)));
    };

    beforeAll(async () => {
      scratch = mkdtempSync(join(tmpdir(), 'flotilla-operations-'));
      const free = new PortAllocator();
      for (const port of PORTS) ports.set(port, await free.free());
      const bin = join(scratch, 'bin');
      mkdirSync(bin);
      const npx = `#!/bin/sh\nshift\nexec '${process.execPath}' '${program}' "$@"\n`;
      writeFileSync(join(bin, 'npx'), npx, { mode: 0o755 });
      shell = new PageShell({
        directory: scratch,
        env: { ...withoutSettings(process.env), FLOTILLA_HOME: scratch, PATH: `${bin}:${process.env['PATH']}` },
      });
    });
    afterAll(async () => {
      await shell?.close();
      rmSync(scratch, { recursive: true, force: true });
    });

    it('starts a mesh of separate services', async () => {
      expect(await next('npx flotilla secrets')).toContain('made secrets/tokens/default.shop');
    });

    it('exports the configuration', async () => {
      expect(await next('get -o yaml')).toContain('service/shop created');
    });

    it('copies the store, and puts it back after it was lost', async () => {
      await next('cp -a secrets store inventory token-state backup/');
      const output = await next('cp -a backup/store .');
      expect(output).toMatch(/Put it back from a backup\. To begin anew .*--begin-anew store:/);
      expect(output).toMatch(/Service +default +shop +1 /);
    });

    it('begins anew when that is meant, and takes the export', async () => {
      const output = await next('FLOTILLA_BEGIN_ANEW');
      expect(output).toContain('--begin-anew store:');
      expect(output).toContain('service/shop created');
    });

    it('makes, revokes and lists a token', async () => {
      const output = await next('token create');
      expect(output).toContain('WorkloadGroup default/shop-v1 created');
      expect(output).toMatch(/sa\/shop +shop-v1 +0 of 1 .* revoked$/m);
    });

    it('replaces the token key and the admin token: the old ones are refused', async () => {
      const output = await next('openssl genpkey');
      expect(output).toContain('made secrets/tokens/default.shop');
      expect(output).toMatch(/^Service +default +shop /m);
      expect(output).toMatch(/the admin token is not that of this mesh[^]*^refused$/m);
      const late = await shell.run(`npx flotilla galley --listen 127.0.0.1:0 --status-address 127.0.0.1:0 \\
        --data late --token-file backup/secrets/tokens/istio-system.galley || echo void`);
      expect(late).toMatch(/the bootstrap token is refused[^]*^void$/m);
    });

    it('replaces the root, and keeps the configuration', async () => {
      const output = await next('mv secrets old-secrets');
      expect(output).toMatch(/^Service +default +shop /m);
      expect(output).toMatch(/its certificate is not from the given root[^]*^the old root vouches for nobody$/m);
    });

    it('shows what to watch', async () => {
      const output = await next('proxy-status');
      expect(output).toContain('# TYPE pilot_config_version gauge');
      expect(output).toMatch(/^citadel_server_root_cert_expiry_timestamp(\{.*\})? \d+/m);
    });

    it('stops in order, and no script is left over', async () => {
      await next('stop $citadel $galley $pilot');
      expect(unused).toEqual([]);
    });
  }),
);
