import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Echo, GREETING } from './application.ts';
import { service } from './bookinfo.ts';
import type { Heard } from './greeting-client.ts';
import type { MeshPlan, WorkloadPlan } from './mesh-plan.ts';
import { NamespacedMesh } from './namespaced-mesh.ts';

const CLIENT = 'spiffe://cluster.local/ns/default/sa/client';
const WEB = 'spiffe://cluster.local/ns/default/sa/web';
const WEB6 = 'spiffe://cluster.local/ns/default/sa/web6';
/** How long the mesh waits for a client's first bytes. */
const DETECTION_MS = 1_000;

const program = (name: string) => join(import.meta.dirname, name);
const application = (...ports: string[]) => [process.execPath, program('application.ts'), ...ports];

const REGISTRY_ONLY = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
`;

/**
 * What an application sees of capture, and what both proxies write down: `client` and `web` run the given data plane;
 * `web6` is Flotilla's, registered by IPv6; `outside` has none.
 */
export function captureSuite(title: string, proxy: WorkloadPlan['proxy']): void {
  const sidecar = proxy === undefined ? {} : { proxy };
  const plan: MeshPlan = {
    meshConfig: { protocolDetectionTimeout: `${DETECTION_MS / 1_000}s` },
    workloads: [
      {
        name: 'client',
        serviceAccount: 'client',
        labels: { app: 'client' },
        captureSettings: ['--exclude-outbound-ports', '9999', '--exclude-outbound-ranges', '192.0.2.0/24'],
        ...sidecar,
      },
      {
        name: 'web',
        serviceAccount: 'web',
        labels: { app: 'web' },
        command: application('http=8080,9998,7000', 'greet=9000'),
        captureSettings: ['--exclude-inbound-ports', '9998'],
        ...sidecar,
      },
      {
        name: 'web6',
        serviceAccount: 'web6',
        labels: { app: 'web6' },
        command: application('http=8080', 'greet=9000'),
        registeredFamily: 6,
      },
      {
        name: 'outside',
        serviceAccount: 'none',
        labels: {},
        proxy: 'none',
        command: application('http=80,9999,8888', 'greet=5000', 'udp=5353'),
      },
    ],
    config: (network) =>
      ['web', 'web6']
        .map((name, index) => {
          const { ipv4, ipv6 } = network.virtualAddress(index);
          return service(
            name,
            [ipv4, ipv6],
            [
              { name: 'http', port: 80, targetPort: 8080 },
              { name: 'tcp-greet', port: 9000 },
            ],
          );
        })
        .join('---\n'),
    names: (network, hosts) => {
      const virtual = (index: number) => Object.values(network.virtualAddress(index));
      const outside = hosts.get('outside');
      return { web: virtual(0), web6: virtual(1), outside: [outside?.ipv4 ?? '', outside?.ipv6 ?? ''] };
    },
  };

  describe(title, () => {
    let mesh: NamespacedMesh;

    beforeAll(async () => {
      mesh = await NamespacedMesh.start(plan);
    }, 120_000);
    afterAll(() => mesh?.stop(), 60_000);

    const curl = (from: string, ...args: string[]) =>
      mesh.run(from, ['curl', '-sS', '--fail', '--max-time', '10', ...args]);
    const listen = async (from: string, host: string, port: number): Promise<Heard> => {
      const { stdout } = await mesh.run(from, [process.execPath, program('greeting-client.ts'), host, String(port)]);
      // Written by the program beside this one.
      return JSON.parse(stdout) as Heard;
    };
    const echo = async (from: string, ...args: string[]): Promise<Echo> => {
      const { code, stdout, stderr } = await curl(from, ...args);
      if (code !== 0) throw new Error(`curl ${args.join(' ')}: ${stderr}`);
      // Written by the application beside this one.
      return JSON.parse(stdout) as Echo;
    };

    it('reaches services by their names, once the endpoints are known', async () => {
      for (const name of ['web', 'web6']) {
        const isServed = async () => (await curl('client', `http://${name}/ready`)).code === 0;
        await expect.poll(isServed, { timeout: 15_000 }).toBe(true);
      }
    });

    it('a request of curl, without any setting, is in both access logs with both identities', async () => {
      const { headers, from } = await echo('client', 'http://web/hello');
      const [sent] = await mesh.logged('client', ({ path }) => path === '/hello');
      expect(sent).toMatchObject({ authority: 'web', code: 200, upstream_peer: WEB });
      const [received] = await mesh.logged('web', ({ path }) => path === '/hello');
      expect(received).toMatchObject({ authority: 'web', code: 200, peer: CLIENT, cluster: 'inbound|8080||' });
      expect(received?.destination).toBe(`${mesh.host('web').ipv4}:8080`);
      expect(headers['x-forwarded-client-cert']).toContain(`URI=${CLIENT}`);
      expect(from).toMatch(/^(::ffff:)?127\.0\.0\.6$/);
    });

    it('over IPv6 too: from the application to its proxy', async () => {
      await echo('client', '-6', 'http://web/six');
      const [sent] = await mesh.logged('client', ({ path }) => path === '/six');
      expect(sent?.destination).toBe(`[${mesh.network.virtualAddress(0).ipv6}]:80`);
      expect((await mesh.logged('web', ({ path }) => path === '/six'))[0]).toMatchObject({ peer: CLIENT });
    });

    it('over IPv6 too: from proxy to proxy, and to the application', async () => {
      const { from } = await echo('client', 'http://web6/between');
      const [sent] = await mesh.logged('client', ({ path }) => path === '/between');
      expect(sent).toMatchObject({ upstream_peer: WEB6 });
      const [received] = await mesh.logged('web6', ({ path }) => path === '/between');
      expect(received).toMatchObject({ peer: CLIENT, destination: `[${mesh.host('web6').ipv6}]:8080` });
      expect(from).toBe('::6');
    });

    it('an excluded outbound port is in no log', async () => {
      await echo('client', 'http://outside:9999/excluded');
      await echo('client', 'http://web/after-excluded');
      await mesh.logged('client', ({ path }) => path === '/after-excluded');
      expect(mesh.accessLog('client').filter(({ destination }) => destination?.endsWith(':9999'))).toEqual([]);
    });

    it('an excluded inbound port is in no log, and is reached without the proxy', async () => {
      const { from } = await echo('outside', `http://${mesh.host('web').ipv4}:9998/direct`);
      expect(from).toContain(mesh.host('outside').ipv4);
      await echo('client', 'http://web/after-direct');
      await mesh.logged('web', ({ path }) => path === '/after-direct');
      expect(mesh.accessLog('web').filter(({ path }) => path === '/direct')).toEqual([]);
    });

    it('a client without a proxy is served in plaintext, declared port or not', async () => {
      const { ipv4 } = mesh.host('web');
      await echo('outside', `http://${ipv4}:8080/plain`);
      expect((await mesh.logged('web', ({ path }) => path === '/plain'))[0]).toMatchObject({ peer: null, code: 200 });
      await echo('outside', `http://${ipv4}:7000/undeclared`);
      const [line] = await mesh.logged('web', ({ path }) => path === '/undeclared');
      expect(line).toMatchObject({ cluster: 'InboundPassthroughCluster', code: 200 });
    });

    it('ALLOW_ANY passes unknown hosts on: HTTP on a known port, and bytes', async () => {
      await echo('client', 'http://outside/any');
      const [line] = await mesh.logged('client', ({ path }) => path === '/any');
      expect(line).toMatchObject({ cluster: 'PassthroughCluster', code: 200 });
      expect(await listen('client', 'outside', 5000)).toMatchObject({ text: GREETING, error: null });
      const passed = await mesh.logged('client', ({ destination }) => destination?.endsWith(':5000') === true);
      expect(passed[0]).toMatchObject({ cluster: 'PassthroughCluster' });
    });

    it.each(['web', 'web6'])(
      '%s speaks first on a declared port, and is heard at once over mutual TLS',
      async (name) => {
        const heard = await listen('client', name, 9000);
        expect(heard).toMatchObject({ text: GREETING, error: null });
        expect(heard.ms).toBeLessThan(DETECTION_MS);
        const lines = await mesh.logged(name, ({ cluster }) => cluster === 'inbound|9000||');
        expect(lines[0]?.peer).toBe(CLIENT);
      },
    );

    it('a plaintext client of a server that speaks first waits no longer than the detection', async () => {
      const heard = await listen('outside', mesh.host('web').ipv4, 9000);
      expect(heard).toMatchObject({ text: GREETING, error: null });
      expect(heard.ms).toBeLessThan(DETECTION_MS + 1_500);
    });

    it('a workload that calls its own service meets itself', async () => {
      await echo('web', 'http://web/self');
      expect((await mesh.logged('web', ({ peer, path }) => path === '/self' && peer !== null))[0]).toMatchObject({
        peer: WEB,
        cluster: 'inbound|8080||',
      });
    });

    it.each([15_001, 15_006])('nobody is sent round in circles by port %i', async (port) => {
      for (const from of ['client', 'outside', 'web']) {
        expect((await curl(from, `http://${mesh.host('web').ipv4}:${port}/`)).code, from).not.toBe(0);
      }
      await echo('client', 'http://web/still-there');
    });

    it('UDP is untouched', async () => {
      const script = `const s = require('node:dgram').createSocket('udp4');
        s.on('message', (m) => { console.log(m.toString()); process.exit(0); });
        setInterval(() => s.send('datagram', 5353, '${mesh.host('outside').ipv4}'), 100);`;
      const { stdout } = await mesh.run('client', ['timeout', '10', process.execPath, '-e', script]);
      expect(stdout.trim()).toBe('datagram');
    });

    it('REGISTRY_ONLY refuses unknown hosts: 502 for HTTP on a known port, a reset for everything else', async () => {
      const file = join(mesh.directory, 'registry-only.yaml');
      writeFileSync(file, REGISTRY_ONLY);
      await mesh.apply(file);
      const status = async (url: string) =>
        (await mesh.run('client', ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '10', url]))
          .stdout;
      await expect.poll(() => status('http://outside/refused')).toBe('502');
      expect(await status(`http://[${mesh.host('outside').ipv6}]/refused`)).toBe('502');
      // Envoy ends such a connection in an orderly way.
      const refusal = typeof proxy === 'object' ? 'closed' : 'ECONNRESET';
      expect(await listen('client', 'outside', 5000)).toMatchObject({ text: '', error: refusal });
      const other = await curl('client', 'http://outside:8888/refused');
      // A reset that comes before curl has looked at its connection is a failure to connect to it.
      expect(other.stderr).toMatch(/reset by peer|Empty reply|Couldn't connect/);
      await echo('client', 'http://web/known');
    });
  });
}
