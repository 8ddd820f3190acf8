import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { connectMesh, type MeshClient } from '@flotilla/client';
import { withoutSettings } from '@flotilla/service/settings';
import { ClaimAlarm_Kind } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PortAllocator } from '../supervisor/ports.ts';
import { Load } from './load.ts';
import { program, type ProxySummary, TestMesh } from './mesh.ts';

const APPLICATION = `
import { createServer } from 'node:http';
createServer((_, response) => response.end(process.argv[2])).listen(Number(process.env.PORT), '127.0.0.1');
`;
const workload = (app: string) =>
  `- { name: ${app}-v1, service: ${app}, serviceAccount: bookinfo-${app}, labels: { app: ${app} }, ports: [{ port: 9080 }], command: [node, app.mjs, ${app}] }`;
const MESH = `workloads:\n  ${['productpage', 'ratings'].map(workload).join('\n  ')}\n`;

const { REFUSED, OVERRIDDEN, CONTESTED } = ClaimAlarm_Kind;
const LIMIT_MS = 120_000;

describe('a mesh of two workloads, and proxies that say they are what they are not', () => {
  const ports = new PortAllocator();
  const impostors: ChildProcess[] = [];
  let scratch: string;
  let mesh: TestMesh;
  let client: MeshClient;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'flotilla-impostors-'));
    writeFileSync(join(scratch, 'app.mjs'), APPLICATION);
    writeFileSync(join(scratch, 'mesh.yaml'), MESH);
    mesh = await TestMesh.start(join(scratch, 'mesh.yaml'));
    const context = join(mesh.home, 'contexts', `${mesh.summary.pid}.json`);
    const { api, adminToken } = JSON.parse(readFileSync(context, 'utf8')) as { api: string; adminToken: string }; // ours
    client = connectMesh({ api, token: adminToken });
  });
  afterEach(() => {
    for (const impostor of impostors.splice(0)) impostor.kill('SIGKILL');
  });
  afterAll(async () => {
    client?.close();
    await mesh?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** A token of an account, as an administrator makes it. */
  const createToken = async (account: string, more: Readonly<Record<string, string | boolean | object>> = {}) =>
    (await client.citadel.createToken({ namespace: 'default', serviceAccount: account, ...more })).token;
  const alarms = async () => (await client.listProxies()).flatMap(({ claimAlarms }) => claimAlarms);
  const entries = async (): Promise<string> => {
    const { resources } = await client.galley.list({ kind: 'WorkloadEntry' });
    return resources.map((entry) => JSON.stringify([entry.key?.name, entry.annotations, entry.body])).join('\n');
  };

  /** The agent of `like` once more, at ports of its own, with `changed` in the place of what it was started with. */
  const startImpostor = async (like: ProxySummary, token: string, changed: Readonly<Record<string, string>>) => {
    const [, ...words] = execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(like.pid)])
      .toString()
      .trim()
      .split(' agent ');
    const given = new Map(
      words
        .join(' ')
        .split(' --')
        .map((option) => {
          const [name = '', ...value] = option.replace(/^--/, '').split(' ');
          return [name, value.join(' ').trim()] as const;
        }),
    );
    let requests = 0;
    const application = createServer((_, response) => {
      requests += 1;
      response.end('impostor');
    });
    await once(application.listen(0, '127.0.0.1'), 'listening');
    application.unref();
    const { port: app } = application.address() as AddressInfo; // listening on TCP
    const own = {
      admin: `127.0.0.1:${await ports.free()}`,
      'http-proxy-port': String(await ports.free()),
      port: `name=http,port=9080,bind=${await ports.free()},app=${app}`,
    };
    const settings = Object.entries({ ...Object.fromEntries(given), ...own, ...changed });
    const child = spawn(
      process.execPath,
      [program, 'agent', ...settings.flatMap(([name, value]) => [`--${name}`, value])],
      { env: { ...withoutSettings(process.env), FLOTILLA_TOKEN: token }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    impostors.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    return { child, said: () => said, requests: () => requests };
  };
  it(
    'none gets the traffic of another, touches its entry, or makes clients speak plaintext; no request fails',
    async () => {
      const [productpage, ratings] = [mesh.proxy('productpage-v1'), mesh.proxy('ratings-v1')];
      const forward = new URL(ratings.httpProxy ?? '');
      const load = new Load(
        {
          host: forward.hostname,
          port: Number(forward.port),
          path: 'http://productpage:9080/',
          authority: 'productpage:9080',
        },
        50,
      );
      const before = await entries();
      expect(before).toContain('productpage-v1');
      const rightful = /bind=(\d+)/.exec(
        execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(ratings.pid)]).toString(),
      );
      const own = `name=http,port=9080,bind=${rightful?.[1]},app=1`;

      const forms: readonly [string, ProxySummary, Readonly<Record<string, string>>, ClaimAlarm_Kind, RegExp][] = [
        [
          'labels, at ports of its own',
          ratings,
          { label: 'flotilla.io/service=productpage' },
          REFUSED,
          /no port "http"/,
        ],
        [
          'labels, at the ports of its workload',
          ratings,
          { label: 'flotilla.io/service=productpage', port: own },
          OVERRIDDEN,
          /flotilla\.io\/service=productpage/,
        ],
        ['the same once more', ratings, { label: 'app=ratings', port: own }, CONTESTED, /is that of another proxy/],
        [
          'workload',
          productpage,
          { label: 'app=nothing', 'service-account': 'bookinfo-ratings' },
          REFUSED,
          /of service account bookinfo-productpage, not of bookinfo-ratings/,
        ],
        [
          'workload, as a gateway',
          productpage,
          { type: 'router', 'service-account': 'bookinfo-ratings' },
          REFUSED,
          /of service account bookinfo-productpage/,
        ],
        ['a gateway', ratings, { type: 'router' }, REFUSED, /are sidecars, not routers/],
        [
          'a workload that nobody described',
          ratings,
          { workload: 'ratings-v9' },
          REFUSED,
          /describes the workload default\/ratings-v9/,
        ],
      ];
      const token = await createToken('bookinfo-ratings', { reusable: true });
      const started = await Promise.all(forms.map(([, like, changed]) => startImpostor(like, token, changed)));
      const unheard = async (): Promise<readonly string[]> => {
        const raised = await alarms();
        return forms.flatMap(([form, , , kind, reason]) =>
          raised.some((alarm) => alarm.kind === kind && reason.test(alarm.reason)) ? [] : [form],
        );
      };
      await expect.poll(unheard, { timeout: 60_000 }).toEqual([]);
      expect(await entries()).toBe(before);
      for (const { child } of started) child.kill('SIGTERM');
      await Promise.all(
        started.map(({ child }) => ((child.exitCode ?? child.signalCode) === null ? once(child, 'exit') : null)),
      );
      expect(started.map(({ requests }) => requests())).toEqual(forms.map(() => 0));
      expect(await entries()).toBe(before);
      const { sent, failures } = await load.stop();
      console.log(
        `impostors of ${forms.length} forms: failed requests of the rightful workload: ${failures.length} of ${sent}`,
      );
      expect(failures).toEqual([]);
      expect(sent).toBeGreaterThan(100);
      for (const proxy of [productpage, ratings]) {
        const received = (await (await fetch(`${proxy.admin}/stats/prometheus`)).text())
          .split('\n')
          .filter((line) => /^istio_requests_total\{.*destination_service_name="productpage"/.test(line));
        expect(received.length).toBeGreaterThan(0);
        for (const line of received) expect(line).not.toContain('connection_security_policy="none"');
      }
      await client.citadel.revokeToken({ id: token });
    },
    LIMIT_MS,
  );

  describe('a token', () => {
    const ends = async (token: string, changed: Readonly<Record<string, string>> = {}): Promise<string> => {
      const impostor = await startImpostor(mesh.proxy('ratings-v1'), token, changed);
      const [code] = (await once(impostor.child, 'exit')) as [number];
      expect(code, impostor.said()).toBe(1);
      return impostor.said();
    };
    it(
      'is used once',
      async () => {
        const token = await createToken('bookinfo-ratings', { workload: 'ratings-v1' });
        const first = await startImpostor(mesh.proxy('ratings-v1'), token, { workload: 'ratings-v9' });
        await expect
          .poll(async () => (await alarms()).map(({ reason }) => reason).join('\n'), { timeout: 60_000 })
          .toContain('certificate for the workload ratings-v1, not for ratings-v9');
        first.child.kill('SIGKILL');
        expect(await ends(token)).toContain('it has been used already');
      },
      LIMIT_MS,
    );

    it(
      'ends with its time',
      async () => {
        const token = await createToken('bookinfo-ratings', { ttl: { seconds: 0n, nanos: 1_000_000 } });
        const [made] = (await client.citadel.listTokens({})).tokens;
        const expiresAtMs = made?.expiresAt === undefined ? 0 : timestampMs(made.expiresAt);
        await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(expiresAtMs);
        expect(await ends(token)).toContain('it expired on');
      },
      LIMIT_MS,
    );

    it(
      'ends when it is revoked, as the command line does and shows',
      async () => {
        const made = await mesh.run('token', 'create', '--service-account', 'bookinfo-ratings', '--reusable');
        expect(made.code, made.stderr).toBe(0);
        const token = made.stdout.trim();
        const revoked = await mesh.run('token', 'revoke', token);
        const id = /^revoked (\S+):/.exec(revoked.stdout)?.[1] ?? 'none';
        expect((await mesh.run('token', 'list')).stdout).toMatch(new RegExp(`${id} .* revoked`));
        expect(await ends(token)).toContain('it was revoked');
      },
      LIMIT_MS,
    );

    it(
      'gives no identity but its own',
      async () => {
        const token = await createToken('bookinfo-ratings');
        expect(await ends(token, { 'service-account': 'bookinfo-productpage' })).toContain(
          'this caller may have only spiffe://cluster.local/ns/default/sa/bookinfo-ratings',
        );
      },
      LIMIT_MS,
    );
  });

  it(
    'is told of impostors by proxy-status',
    async () => {
      expect((await mesh.run('proxy-status')).stdout).toMatch(/ALARM refused: sidecar~.*ratings-v9/);
    },
    LIMIT_MS,
  );

  const asRoot = process.platform === 'linux' && process.getuid?.() === 0;
  it.runIf(asRoot)(
    'another local user cannot use the identity of a workload by its local port',
    async () => {
      const script = `
      const { hostname, port } = new URL(process.argv[1]);
      require('node:http')
        .get({ hostname, port, path: 'http://productpage:9080/', agent: false, timeout: 10_000 }, (answer) => {
          console.log(answer.statusCode);
          answer.resume();
        })
        .on('error', (error) => console.log(error.code));
    `;
      const answerFor = (uid: number) =>
        execFileSync(process.execPath, ['-e', script, mesh.proxy('ratings-v1').httpProxy ?? ''], {
          uid,
          timeout: 60_000,
        })
          .toString()
          .trim();
      expect([answerFor(0), answerFor(65_534)]).toEqual(['200', 'ECONNRESET']);
    },
    LIMIT_MS,
  );

  it(
    'a killed proxy comes back with its identity, by a token of its own',
    async () => {
      const { pid, httpProxy } = mesh.proxy('ratings-v1');
      process.kill(pid, 'SIGKILL');
      const forward = new URL(httpProxy ?? '');
      const ask = () =>
        new Promise<string>((resolve) => {
          request(
            { host: forward.hostname, port: forward.port, path: 'http://productpage:9080/', agent: false },
            (response) => {
              let body = '';
              response.on('data', (chunk: Buffer) => (body += chunk.toString()));
              response.once('end', () => resolve(body));
            },
          )
            .once('error', (error) => resolve(error.message))
            .end();
        });
      await expect.poll(ask, { timeout: 60_000 }).toBe('productpage');
    },
    LIMIT_MS,
  );
});
