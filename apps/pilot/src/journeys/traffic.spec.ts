import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { freePorts, withPeer } from '@flotilla/testing';
import { sidecarNode } from '@flotilla/translate/testing';
import { serveSecrets, startStockEnvoy } from '../testing/stock-envoy.ts';
import { startWorld, type World } from '../testing/world.ts';

interface Answer {
  readonly status: number;
  /** Which application answered, and the headers it saw. */
  readonly body: { readonly app: string; readonly headers: IncomingHttpHeaders } | null;
}

/** Tells who it is and what it was asked. */
async function startApplication(app: string): Promise<{ server: Server; port: number }> {
  const server = createServer((incoming, outgoing) => {
    outgoing.setHeader('content-type', 'application/json');
    outgoing.end(JSON.stringify({ app, headers: incoming.headers }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has an address with a port.
  return { server, port: (server.address() as AddressInfo).port };
}

/** GET through an HTTP proxy, as an application with HTTP_PROXY does. `isFresh`: over a connection of its own. */
function get(proxyPort: number, url: string, isFresh = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: proxyPort,
      path: url,
      headers: { host: new URL(url).host },
      ...(isFresh ? { agent: false } : {}),
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        // The application's own words, see above.
        resolve({ status, body: status === 200 ? (JSON.parse(text) as Answer['body']) : null });
      });
    });
    outgoing.end();
  });
}

const entry = (name: string, version: string, port: number, label = '') => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { http: ${port} }, serviceAccount: web, labels: { app: web, version: ${version}${label} } }`;

const rules = (version: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: web, subsets: [{ name: ${version}, labels: { version: ${version} } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web, subset: ${version} } }] }] }`;

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 8080 }] }`;

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web }
spec: { selector: { matchLabels: { app: web } }, mtls: { mode: STRICT } }`;

withPeer('envoy', (path) => {
  describe.each(['delta', 'sotw'] as const)('traffic between stock Envoys, %s', (protocol) => {
    const closers: (() => void | Promise<void>)[] = [];
    let world: World;
    let proxyPort = 0;
    let inboundPort = 0;

    beforeAll(async () => {
      const [meshed, bare] = [await startApplication('meshed'), await startApplication('bare')];
      closers.push(
        () => void meshed.server.close(),
        () => void bare.server.close(),
      );
      [proxyPort = 0, inboundPort = 0] = await freePorts(2);
      world = await startWorld(
        [
          SERVICE,
          entry('web-1', 'v1', inboundPort, ', security.istio.io/tlsMode: istio'),
          entry('web-2', 'v2', bare.port),
          rules('v1'),
        ].join('\n---'),
      );
      closers.push(() => world.close());
      await world.pilot.ready;
      const authority = await createTestAuthority();
      const start = async (serviceAccount: string, node: ReturnType<typeof sidecarNode>) => {
        const certificate = await authority.issue({
          trustDomain: 'cluster.local',
          namespace: 'default',
          serviceAccount,
        });
        const secrets = await serveSecrets(certificate);
        const envoy = await startStockEnvoy({ path, node, xds: world.pilot.xds, sds: secrets.address, protocol });
        closers.push(
          () => secrets.close(),
          () => envoy.close(),
        );
      };
      const bind = { bindAddress: '127.0.0.1', bindPort: inboundPort, appAddress: '127.0.0.1', appPort: meshed.port };
      await start(
        'web',
        sidecarNode({
          workload: 'web-v1',
          labels: { app: 'web' },
          httpProxyPort: 0,
          ports: [{ name: 'http', port: 8080, ...bind }],
        }),
      );
      await start('client', sidecarNode({ workload: 'client', httpProxyPort: proxyPort, ports: [] }));
      await until(async () => (await get(proxyPort, 'http://web:8080/')).status === 200);
    });

    afterAll(async () => {
      for (const close of closers.reverse()) await close();
    });

    test('goes over mutual TLS to a workload with a sidecar, by identity', async () => {
      const { body } = await get(proxyPort, 'http://web:8080/');
      expect(body?.app).toBe('meshed');
      expect(body?.headers['x-forwarded-client-cert']).toContain('URI=spiffe://cluster.local/ns/default/sa/client');
    });

    test('an unknown host is refused with 502', async () => {
      expect((await get(proxyPort, 'http://nowhere.example.com/')).status).toBe(502);
    });

    test('plaintext is taken while nothing forbids it, and refused under STRICT', async () => {
      const direct = () => get(inboundPort, 'http://web:8080/', true).catch(() => null);
      expect((await direct())?.status).toBe(200);
      world.galley.write(STRICT);
      await until(async () => (await direct()) === null);
      expect((await get(proxyPort, 'http://web:8080/')).body?.app).toBe('meshed');
    });

    test('a subset is switched under load without one failed request', async () => {
      const failures: number[] = [];
      let isDone = false;
      let count = 0;
      const load = Array.from({ length: 8 }, async () => {
        while (!isDone) {
          const { status } = await get(proxyPort, 'http://web:8080/');
          count += 1;
          if (status !== 200) failures.push(status);
        }
      });
      for (let turn = 0; turn < 6; turn++) {
        const [version, app] = turn % 2 === 0 ? (['v2', 'bare'] as const) : (['v1', 'meshed'] as const);
        world.galley.write(rules(version));
        await until(async () => (await get(proxyPort, 'http://web:8080/')).body?.app === app);
      }
      isDone = true;
      await Promise.all(load);
      expect(failures).toEqual([]);
      expect(count).toBeGreaterThan(50);
    });
  });
});

/** Envoy is a process of its own: its state has to be asked for. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue().catch(() => false))) await sleep(20);
}
