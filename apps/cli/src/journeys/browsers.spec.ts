import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load } from './load.ts';
import { repository, TestMesh } from './mesh.ts';

const RATE = 100;
/** Names of a stranger's DNS that lead to this machine. */
const STRANGERS = ['evil.example', 'rebound.example'];
const CHANGES = ['/quitquitquit', '/drain_listeners', '/healthcheck/fail', '/logging?level=debug'];

/** Runs in the page of a stranger. */
const attack = readFileSync(join(import.meta.dirname, 'browsers/attack.js'), 'utf8');

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

withPeer('chromium', (executablePath) => {
  describe('a browser with pages of strangers', () => {
    let mesh: TestMesh;
    let browser: Browser;
    let stranger: Server;
    let ports: number[];

    beforeAll(async () => {
      mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
      stranger = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<body>hello'));
      await once(stranger.listen(0, '127.0.0.1'), 'listening');
      const rules = STRANGERS.map((name) => `MAP ${name} 127.0.0.1`).join(', ');
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox', `--host-resolver-rules=${rules}`] });
      const { summary } = mesh;
      ports = [summary.api, ...summary.proxies.map(({ admin }) => admin)].map((url) => Number(new URL(url).port));
    });
    afterAll(async () => {
      await browser?.close();
      stranger?.close();
      stranger?.closeAllConnections();
      await mesh?.stop();
    });

    it('neither acts nor reads at any port of the mesh, under load', async () => {
      const { hostname: host, port } = new URL(mesh.summary.ingress);
      const load = new Load({ host, port: Number(port), path: '/productpage', authority: 'bookinfo' }, RATE);
      const page = await browser.newPage();
      // A listening TCP server always has an AddressInfo.
      await page.goto(`http://evil.example:${(stranger.address() as AddressInfo).port}/`);
      const seen = await page.evaluate(`${attack}; attack(${JSON.stringify(ports)}, ${JSON.stringify(CHANGES)})`);
      // The same name leads to the port itself now (DNS rebinding): the page is of the port's origin.
      const rebound: string[] = [];
      for (const at of ports) {
        const response = await page.goto(`http://rebound.example:${at}/config_dump`);
        rebound.push(`${response?.status()} ${(await response?.text())?.slice(0, 60)}`);
        const acted = await page.evaluate("fetch('/quitquitquit', { method: 'POST' }).then(({ status }) => status)");
        rebound.push(String(acted));
      }
      const { sent, failures } = await load.stop();
      console.log(`${ports.length} ports attacked by a web page: requests ${sent}, failed requests ${failures.length}`);

      expect(seen).toEqual([]);
      expect(rebound.filter((text) => !text.startsWith('403'))).toEqual([]);
      expect(failures).toEqual([]);
      for (const { admin, pid } of mesh.summary.proxies) {
        process.kill(pid, 0);
        expect(await (await fetch(`${admin}/ready`)).text()).toBe('LIVE\n');
      }
    });

    it('shows a person the pages, and they may act', async () => {
      const page = await browser.newPage();
      const { admin } = mesh.proxy('productpage-v1');
      expect((await page.goto(admin))?.status()).toBe(200);
      const acted = await page.evaluate(
        "fetch('/logging?level=info', { method: 'POST' }).then(({ status }) => status)",
      );
      expect(acted).toBe(200);
      // A link on a stranger's page opens it, too, and the stranger sees nothing of it.
      await page.goto(`http://evil.example:${(stranger.address() as AddressInfo).port}/`);
      const visit = page.waitForResponse(`${admin}/ready`);
      await page.evaluate(`location.href = '${admin}/ready'`);
      expect((await visit).status()).toBe(200);
    });

    it('lets a program stop a proxy of an agent, which the supervisor then starts again', async () => {
      const { admin, pid } = mesh.proxy('details-v1');
      expect(await (await fetch(`${admin}/quitquitquit`, { method: 'POST' })).text()).toBe('OK\n');
      await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false);
    });
  });
});
