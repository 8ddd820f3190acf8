import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInProcessBus } from '@flotilla/bus';
import { startCitadel } from '@flotilla/citadel';
import { startGalley } from '@flotilla/galley';
import { openLocalIdentity } from '@flotilla/identity';
import { silentLogger } from '@flotilla/observe';
import { type Routes, type RpcServer, serveRpc } from '@flotilla/rpc';
import { compileAdminPolicy } from '@flotilla/service';
import { StopStack, systemClock } from '@flotilla/runtime';
import { PilotService, SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, runFlotilla } from './mesh.ts';

const SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: { name: db }\nspec: { ports: [{ name: tcp, port: 5432 }] }\n';
const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';

/** Galley, citadel and two pilots at addresses of their own, over TLS with identities of the mesh. */
describe('the command line against separate services', () => {
  const stop = new StopStack();
  let scratch: string;
  let galley: RpcServer;
  let citadel: RpcServer;
  let pilots: RpcServer[];
  let env: Record<string, string>;
  let run: (args: readonly string[], more?: Record<string, string>) => Promise<CommandResult>;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'flotilla-services-'));
    stop.push('scratch', () => rmSync(scratch, { recursive: true, force: true }));
    const assertAdmin = compileAdminPolicy({ adminToken: 'secret', admins: [] });
    const common = { logger: silentLogger, clock: systemClock };
    mkdirSync(join(scratch, 'citadel'));
    const authority = await startCitadel({
      ...common,
      keys: { directory: join(scratch, 'citadel') },
      trustDomain: 'shop.example',
      defaultTtlMs: 3_600_000,
      maxTtlMs: 3_600_000,
      authoriseAdmin: assertAdmin,
    });
    stop.push('citadel', () => authority.close());
    const bus = createInProcessBus();
    stop.push('bus', () => bus.close());
    const config = await startGalley({
      ...common,
      store: { kind: 'sqlite', path: join(scratch, 'store.sqlite') },
      bus,
      directories: [],
      access: {
        read: assertAdmin,
        write(caller) {
          assertAdmin(caller);
          return 'anything';
        },
      },
    });
    stop.push('galley', () => config.close());
    const serve = async (serviceAccount: string, routes: Routes) => {
      const id = { trustDomain: 'shop.example', namespace: 'istio-system', serviceAccount };
      const identity = await openLocalIdentity((ttlMs) => authority.issueFor(id, ttlMs));
      stop.push('identity', () => identity.close());
      const server = await serveRpc({
        address: { host: '127.0.0.1', port: 0 },
        routes,
        tls: { identity, clientCertificates: 'optional' },
        logger: silentLogger,
      });
      stop.push(serviceAccount, () => server.close());
      return server;
    };
    galley = await serve('galley', config.routes);
    citadel = await serve('citadel', authority.routes);
    // What is shown of proxies is the matter here: the two pilots have one each, at galley's version.
    const pilotOf =
      (workload: string): Routes =>
      (router) =>
        router.service(PilotService, {
          async listProxies() {
            return {
              version: BigInt(config.version()),
              pilotId: `pilot-of-${workload}`,
              proxies: [
                {
                  nodeId: `sidecar~10.0.0.1~${workload}.default~default.svc.cluster.local`,
                  types: [{ typeUrl: CLUSTER, state: SyncState.SYNCED, versionAcked: 1n, versionSent: 1n }],
                },
              ],
            };
          },
        });
    pilots = [await serve('pilot', pilotOf('details-v1')), await serve('pilot', pilotOf('reviews-v1'))];
    writeFileSync(join(scratch, 'root.pem'), authority.rootsPem);
    writeFileSync(join(scratch, 'token'), 'secret\n');
    writeFileSync(join(scratch, 'db.yaml'), SERVICE);
    env = {
      FLOTILLA_HOME: scratch,
      FLOTILLA_API: galley.url,
      FLOTILLA_CITADEL_API: citadel.url,
      FLOTILLA_PILOT_API: pilots.map(({ url }) => url).join(','),
      FLOTILLA_CA_ROOTS: join(scratch, 'root.pem'),
      FLOTILLA_TRUST_DOMAIN: 'shop.example',
      FLOTILLA_ADMIN_TOKEN_FILE: join(scratch, 'token'),
    };
    run = (args, more = {}) => runFlotilla(args, { ...env, ...more });
  });
  afterAll(() => stop.close());

  it('applies, and waits for the proxies of all pilots', async () => {
    const result = await run(['apply', '-f', join(scratch, 'db.yaml'), '--wait']);
    expect(result).toMatchObject({ code: 0, stdout: 'service/db created\n' });
    expect((await run(['get', 'service', 'db'])).stdout).toContain('db.yaml:1');
  });

  it('takes options in place of the environment', async () => {
    const options = [
      ...['--api', galley.url, '--pilot', pilots[0]?.url ?? '', '--pilot', pilots[1]?.url ?? ''],
      ...['--citadel', citadel.url, '--ca-roots', join(scratch, 'root.pem'), '--trust-domain', 'shop.example'],
      ...['--token', 'secret'],
    ];
    const token = await runFlotilla(['token', '--service-account', 'reviews', ...options], { FLOTILLA_HOME: scratch });
    expect(token.stdout.trim().split('.')).toHaveLength(3);
  });

  it('shows the pilot of each proxy', async () => {
    const { code, stdout } = await run(['proxy-status']);
    expect(code).toBe(0);
    const [headings, ...rows] = stdout.trimEnd().split('\n');
    expect(headings).toMatch(/^PROXY .* PILOT$/);
    expect(rows).toEqual([
      expect.stringMatching(new RegExp(`^details-v1.default .*SYNCED.* pilot-of-details-v1 at ${pilots[0]?.url}$`)),
      expect.stringMatching(new RegExp(`^reviews-v1.default .*SYNCED.* pilot-of-reviews-v1 at ${pilots[1]?.url}$`)),
    ]);
  });

  it('says which pilot is away, beside the proxies of the others', async () => {
    const some = { FLOTILLA_PILOT_API: `${pilots[0]?.url},https://127.0.0.1:1` };
    const table = await run(['proxy-status'], some);
    expect(table).toMatchObject({ code: 3, stdout: expect.stringContaining('details-v1.default') });
    expect(table.stderr).toContain('cannot reach https://127.0.0.1:1');
    const json = await run(['proxy-status', '-o', 'json'], some);
    expect(JSON.parse(json.stdout)).toMatchObject({
      pilots: [
        { url: pilots[0]?.url, error: null },
        { url: 'https://127.0.0.1:1', version: null },
      ],
      proxies: [{ pilot: pilots[0]?.url }],
    });
  });

  it.each<[string, Record<string, string>, number, RegExp]>([
    [
      'a wrong token',
      { FLOTILLA_ADMIN_TOKEN: 'guessed' },
      1,
      /the admin token is not that of this mesh\n {2}.*--token/,
    ],
    [
      'another trust domain',
      { FLOTILLA_TRUST_DOMAIN: 'cluster.local' },
      3,
      /the server is spiffe:.*\n {2}.*--trust-domain/,
    ],
    ['no roots', { FLOTILLA_CA_ROOTS: '' }, 1, /cannot be verified without the root.*\n {2}.*--ca-roots/],
    [
      'a roots file that is not there',
      { FLOTILLA_CA_ROOTS: '/nowhere.pem' },
      2,
      /FLOTILLA_CA_ROOTS: ENOENT.*nowhere.pem/,
    ],
  ])('says what to do about %s', async (_, more, code, text) => {
    const result = await run(['apply', '-f', join(scratch, 'db.yaml')], more);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(text);
  });

  it('says that pilots have addresses of their own when none is given', async () => {
    const result = await run(['proxy-status'], { FLOTILLA_PILOT_API: '' });
    expect(result.code).toBe(3);
    expect(result.stderr).toMatch(/does not serve this call.*\n {2}.*--pilot/);
  });
});
