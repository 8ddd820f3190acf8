import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RpcServer } from '@flotilla/rpc/server';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectMesh, type MeshClient, type MeshOptions } from '../index.ts';
import { ADMIN_TOKEN, citadelRoutes, galleyRoutes, pilotRoutes, proxyIn, TestControlPlane } from './control-plane.ts';

let world: TestControlPlane;
let galley: RpcServer;
let citadel: RpcServer;
let pilots: RpcServer[];
let embedded: RpcServer;
let closedToTools: RpcServer;
let foreignRoot: string;
const pilotAnswer = (workload: string) =>
  pilotRoutes(() => ({ version: 7n, proxies: [proxyIn(workload, SyncState.SYNCED, 7n)] }));

beforeAll(async () => {
  world = await TestControlPlane.create();
  galley = await world.serve(galleyRoutes, 'galley');
  citadel = await world.serve(citadelRoutes, 'citadel');
  pilots = [
    await world.serve(pilotAnswer('details-v1'), 'pilot'),
    await world.serve(pilotAnswer('reviews-v1'), 'pilot'),
  ];
  embedded = await world.serve((router) => {
    galleyRoutes(router);
    citadelRoutes(router);
    pilotAnswer('ratings-v1')(router);
  }, null);
  closedToTools = await world.serve(galleyRoutes, 'galley', 'require');
  foreignRoot = (await createTestAuthority('foreign')).rootPem;
});
afterAll(() => world.close());

const opened: MeshClient[] = [];
afterEach(() => {
  for (const mesh of opened.splice(0)) mesh.close();
});
function connect(options: Partial<MeshOptions>): MeshClient {
  const mesh = connectMesh({ api: galley.url, rootsPem: world.authority.rootPem, token: ADMIN_TOKEN, ...options });
  opened.push(mesh);
  return mesh;
}
const workloads = async (mesh: MeshClient) =>
  (await mesh.listProxies()).map(({ proxies }) => proxies.map(({ nodeId }) => nodeId.split('~')[2]));

describe('separate services', () => {
  const separate = () => connect({ pilots: pilots.map(({ url }) => url), citadel: citadel.url });

  it('each is called at its own address', async () => {
    const mesh = separate();
    expect(await mesh.galley.apply({})).toMatchObject({ version: 7n });
    expect(await mesh.citadel.createToken({ serviceAccount: 'a' })).toMatchObject({ token: 'for a' });
    expect(await workloads(mesh)).toEqual([['details-v1.default'], ['reviews-v1.default']]);
    expect(await mesh.waitForSync(7n)).toBe(2);
  });

  it('a pilot that is away is told beside the others', async () => {
    const gone = await world.serve(pilotAnswer('x'), 'pilot');
    await gone.close();
    const [here, away] = await connect({ pilots: [pilots[0]?.url ?? '', gone.url] }).listProxies();
    expect(here).toMatchObject({ version: 7n, error: null });
    expect(away).toMatchObject({ url: gone.url, version: null, proxies: [], error: { code: 'unavailable' } });
  });

  it('the same pilot named twice is asked once', async () => {
    expect(await workloads(connect({ pilots: [pilots[0]?.url ?? '', `${pilots[0]?.url}/`] }))).toHaveLength(1);
  });
});

it('an embedded mesh has everything at one plaintext address', async () => {
  const mesh = connect({ api: embedded.url });
  expect(await mesh.galley.list({})).toMatchObject({ version: 7n });
  expect(await mesh.citadel.createToken({ serviceAccount: 'a' })).toMatchObject({ token: 'for a' });
  expect(await workloads(mesh)).toEqual([['ratings-v1.default']]);
});

describe('what goes wrong is said with what to do', () => {
  const apply = (options: () => Partial<MeshOptions>) => async () => {
    await connect(options()).galley.apply({});
  };
  it.each<[string, () => Promise<unknown>, object, RegExp | null]>([
    [
      'a wrong token',
      apply(() => ({ token: 'guessed' })),
      { code: 'unauthenticated', message: 'no admin token' },
      null,
    ],
    [
      'roots of another mesh',
      apply(() => ({ rootsPem: foreignRoot })),
      { code: 'unavailable', message: expect.stringMatching(/cannot reach https:.*is not from the given root/) },
      /--ca-roots/,
    ],
    [
      'another trust domain',
      apply(() => ({ trustDomain: 'other.example' })),
      {
        code: 'unavailable',
        message: expect.stringMatching(/the server is spiffe:\/\/cluster.local.*expected spiffe:/),
      },
      /--trust-domain/,
    ],
    [
      'the address of another service',
      apply(() => ({ api: citadel.url, citadel: galley.url, pilots: pilots.map(({ url }) => url) })),
      { code: 'unavailable', message: expect.stringMatching(/the server is .*sa\/citadel, expected .*sa\/galley/) },
      /address/,
    ],
    [
      'plaintext to a TLS port',
      apply(() => ({ api: galley.url.replace('https', 'http') })),
      { code: 'unavailable', message: expect.stringContaining('closed without an answer') },
      /write https:/,
    ],
    [
      'TLS to a plaintext port',
      apply(() => ({ api: embedded.url.replace('http', 'https') })),
      { code: 'unavailable', message: expect.stringContaining('does not speak TLS') },
      /Write http:/,
    ],
    [
      'a port that wants a certificate',
      apply(() => ({ api: closedToTools.url })),
      { code: 'unavailable', message: expect.stringContaining('only clients with a certificate') },
      /certificate of the mesh/,
    ],
    [
      'nobody there',
      apply(() => ({ api: 'http://127.0.0.1:1' })),
      {
        code: 'unavailable',
        message: expect.stringContaining('cannot reach http://127.0.0.1:1: connect ECONNREFUSED'),
      },
      /flotilla up/,
    ],
    [
      'a pilot behind no address',
      async () => {
        const [report] = await connect({}).listProxies();
        throw report?.error;
      },
      { code: 'unavailable', message: expect.stringContaining('does not serve this call') },
      /--pilot/,
    ],
    [
      'https without roots',
      async () => connectMesh({ api: 'https://galley:9901' }),
      { code: 'invalid', message: expect.stringContaining('https://galley:9901 cannot be verified') },
      /--ca-roots/,
    ],
    [
      'roots that are none',
      apply(() => ({ rootsPem: 'hello' })),
      { code: 'invalid', message: expect.stringContaining('no PEM block') },
      /--ca-roots/,
    ],
    [
      'a token over the network without TLS',
      async () => connectMesh({ api: 'http://10.0.0.1:9901', token: 'secret' }),
      { code: 'invalid', message: expect.stringContaining('without TLS') },
      /--allow-plaintext/,
    ],
    ['no URL', async () => connectMesh({ api: 'ftp://x' }), { code: 'invalid' }, /http:\/\/host:port/],
  ])('%s', async (_, action, expected, hint) => {
    const error: unknown = await action().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: 'FlotillaError', ...expected });
    if (hint !== null) expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  it('a server of another protocol, without ending the process', async () => {
    const web = createServer((_request, response) => response.end('hello'));
    await once(web.listen(0, '127.0.0.1'), 'listening');
    // A listening TCP server always has an AddressInfo.
    const { port } = web.address() as AddressInfo;
    await expect(connect({ api: `http://127.0.0.1:${port}` }).galley.list({})).rejects.toMatchObject({
      message: expect.stringContaining('does not speak gRPC'),
    });
    web.closeAllConnections();
    web.close();
  });
});
