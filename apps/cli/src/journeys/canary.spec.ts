import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@flotilla/observe';
import { type RpcServer, serveRpc } from '@flotilla/rpc';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { PilotService, SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { canarySuite, finished, startCanary } from './canary.suite.ts';
import { repository, TestMesh } from './mesh.ts';

const bookinfo = join(repository, 'examples/bookinfo');

/** Bookinfo with reviews of one more version, whose application answers with 500. */
const BROKEN_REVIEWS = `
  - name: reviews-broken
    service: reviews
    serviceAccount: bookinfo-reviews
    labels: { app: reviews, version: broken }
    ports: [{ name: http, port: 9080 }]
    command: [node, broken.js]
`;
const BROKEN_APPLICATION = `
require('node:http').createServer((request, response) => {
  response.statusCode = 500;
  response.end('broken');
}).listen(Number(process.env.PORT), '127.0.0.1');
`;

describe('the embedded mesh', () => {
  let scratch: string;
  let mesh: TestMesh;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'flotilla-canary-'));
    const original = readFileSync(join(bookinfo, 'mesh.yaml'), 'utf8');
    const moved = original.replaceAll('src/', `${bookinfo}/src/`).replace('- config', `- ${bookinfo}/config`);
    writeFileSync(join(scratch, 'mesh.yaml'), moved + BROKEN_REVIEWS);
    writeFileSync(join(scratch, 'broken.js'), BROKEN_APPLICATION);
    mesh = await TestMesh.start(join(scratch, 'mesh.yaml'));
  });
  afterAll(async () => {
    await mesh?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  const world = async () => {
    const exports = (await mesh.run('env')).stdout;
    const environment = Object.fromEntries([...exports.matchAll(/^export (\w+)=(.*)$/gm)].map(([, k, v]) => [k, v]));
    const metrics = [`${mesh.proxy('productpage-v1').admin}/stats/prometheus`];
    return { ingress: mesh.summary.ingress, environment, metrics };
  };
  canarySuite('a version whose application is broken', async () => ({
    ...(await world()),
    badLabels: { version: 'broken' },
  }));
  canarySuite('a version that nobody has', world);
});

/** A control plane of which every answer is the test's, to show what no sound mesh does. */
describe('a mesh in trouble', () => {
  let api: RpcServer;
  let metricsPage: Server;
  let metrics: string;
  let applied: string[];
  let refusing: (yaml: string) => boolean;

  beforeAll(async () => {
    metricsPage = createServer((_request, response) => response.end(''));
    await once(metricsPage.listen(0, '127.0.0.1'), 'listening');
    // A listening TCP server always has an AddressInfo.
    metrics = `http://127.0.0.1:${(metricsPage.address() as AddressInfo).port}/metrics`;
    const version = () => BigInt(applied.length);
    api = await serveRpc({
      address: { host: '127.0.0.1', port: 0 },
      logger: silentLogger,
      routes: (router) => {
        router.service(GalleyService, {
          apply({ documents }) {
            applied.push(documents[0]?.yaml ?? '');
            return { version: version() };
          },
        });
        router.service(PilotService, {
          listProxies() {
            const isRefused = refusing(applied.at(-1) ?? '');
            const state = isRefused ? SyncState.REFUSED : SyncState.SYNCED;
            const types = [
              { typeUrl: 'routes', state, versionSent: version(), errorDetail: isRefused ? 'too odd' : '' },
            ];
            return { version: version(), proxies: [{ nodeId: 'sidecar~1~reviews-v1.default~x', types }] };
          },
        });
      },
    });
  });
  beforeEach(() => {
    applied = [];
    refusing = () => false;
  });
  afterAll(async () => {
    await api.close();
    metricsPage.close();
  });

  const run = (args: readonly string[], url = api.url) => finished(startCanary(args, { FLOTILLA_API: url }));
  const weightOf = (yaml: string) => /"weight":(\d+)\}\]/.exec(yaml)?.[1];

  it('is rolled back when a proxy refuses the new routes', async () => {
    refusing = (yaml) => weightOf(yaml) === '10';
    const result = await run(['--metrics', metrics]);
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('reviews-v1.default refused routes: too odd'),
    });
    expect(applied.map(weightOf)).toEqual(['0', '10', '0']);
  });

  it('is rolled back when no traffic comes that could be judged', async () => {
    const result = await run(['--metrics', metrics, '--watch', '0']);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('too few to judge') });
    expect(applied.map(weightOf)).toEqual(['0', '10', '0']);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ['no metrics', [], 2, /--metrics must be a URL[^]*Usage:/],
    ['an unknown option', ['--fast'], 2, /--fast[^]*Usage:/],
    ['steps that fall', ['--metrics', 'http://x', '--steps', '50,10,100'], 2, /--steps must rise/],
    ['no number', ['--metrics', 'http://x', '--watch', 'long'], 2, /--watch must be 0 to 86400, not long/],
    ['metrics of nobody', ['--metrics', 'http://127.0.0.1:2/metrics'], 3, /cannot read http:.*ECONNREFUSED/],
  ])('says what is wrong with %s', async (_, args, code, words) => {
    const result = await run(args);
    expect(result).toMatchObject({ code, stderr: expect.stringMatching(words) });
  });

  it('tells that nobody is there', async () => {
    const result = await run(['--metrics', metrics], 'http://127.0.0.1:1');
    expect(result).toMatchObject({ code: 3, stderr: expect.stringContaining('cannot reach http://127.0.0.1:1') });
  });
});
