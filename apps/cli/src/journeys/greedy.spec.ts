import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MessageInitShape } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { connectMesh, type MeshClient } from '@flotilla/client';
import { openCitadelIdentity } from '@flotilla/identity';
import { silentLogger } from '@flotilla/observe';
import { createRpcTransport, fromConnectError } from '@flotilla/rpc/client';
import { type FlotillaError, systemClock } from '@flotilla/runtime';
import type { IdentitySource } from '@flotilla/spiffe';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import type { DeltaDiscoveryRequestSchema } from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Load } from './load.ts';
import { TestMesh } from './mesh.ts';

const STREAMS = 8;
const NAMES = 60_000;
const CLUSTERS = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const ENDPOINTS = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';

const APPLICATION = `
import { createServer } from 'node:http';
createServer((_, response) => response.end(process.argv[2])).listen(Number(process.env.PORT), '127.0.0.1');
`;
const workload = (app: string) =>
  `- { name: ${app}-v1, service: ${app}, serviceAccount: bookinfo-${app}, labels: { app: ${app} }, ports: [{ port: 9080 }], command: [node, app.mjs, ${app}] }`;
const MESH = `workloads:\n  ${['productpage', 'ratings'].map(workload).join('\n  ')}\n`;
const UPDATE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: productpage }
spec:
  hosts: [productpage]
  http:
    - match: [{ uri: { prefix: /new } }]
      directResponse: { status: 200, body: { string: updated } }
    - route: [{ destination: { host: productpage } }]
`;

let scratch: string;
let mesh: TestMesh;
let client: MeshClient;
let identity: IdentitySource;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'flotilla-greedy-'));
  writeFileSync(join(scratch, 'app.mjs'), APPLICATION);
  writeFileSync(join(scratch, 'mesh.yaml'), MESH);
  writeFileSync(join(scratch, 'update.yaml'), UPDATE);
  mesh = await TestMesh.start(join(scratch, 'mesh.yaml'));
  const context = join(mesh.home, 'contexts', `${mesh.summary.pid}.json`);
  const { api, adminToken } = JSON.parse(readFileSync(context, 'utf8')) as { api: string; adminToken: string }; // ours
  client = connectMesh({ api, token: adminToken });
}, 60_000);
afterAll(async () => {
  client?.close();
  identity?.close();
  await mesh?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** What the agent of ratings was started with. */
function agentOption(name: string): string {
  const words = execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(mesh.proxy('ratings-v1').pid)]).toString();
  const value = new RegExp(` --${name} (\\S+)`).exec(words)?.[1];
  if (value === undefined) throw new Error(`the agent has no --${name}: ${words}`);
  return value;
}

const residentMiB = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${mesh.summary.controlPlanePid}/status`, 'utf8'))?.[1]) / 1024;

/** Asks for clusters, then for endpoints of very many names; resolves with how the stream ends. */
async function ask(stream: number): Promise<FlotillaError | null> {
  const transport = createRpcTransport({
    url: `https://${agentOption('discovery')}`,
    tls: { serverSpiffeId: agentOption('discovery-identity'), identity },
  });
  const ended = Promise.withResolvers<undefined>();
  async function* requests(): AsyncGenerator<MessageInitShape<typeof DeltaDiscoveryRequestSchema>> {
    const node = {
      id: 'sidecar~127.0.0.1~ratings-v1.default~default.svc.cluster.local',
      metadata: { NAMESPACE: 'default', WORKLOAD_NAME: 'ratings-v1', SERVICE_ACCOUNT: 'bookinfo-ratings' },
    };
    yield { node, typeUrl: CLUSTERS };
    const names = Array.from({ length: NAMES }, (_, at) => `outbound|80||s${stream}-${at}.example`);
    yield { typeUrl: ENDPOINTS, resourceNamesSubscribe: names };
    await ended.promise;
  }
  try {
    const ads = createClient(AggregatedDiscoveryService, transport);
    for await (const _ of ads.deltaAggregatedResources(requests()));
    return null;
  } catch (error) {
    return fromConnectError(error);
  } finally {
    ended.resolve(undefined);
    transport.close();
  }
}

it('8 streams of 60,000 names each with one certificate: they are cut, no request fails, others get their updates', async () => {
  const { token } = await client.citadel.createToken({ namespace: 'default', serviceAccount: 'bookinfo-ratings' });
  identity = await openCitadelIdentity({
    ca: {
      url: agentOption('ca'),
      rootPem: readFileSync(agentOption('ca-roots'), 'utf8'),
      serverSpiffeId: agentOption('ca-identity'),
    },
    token,
    id: { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bookinfo-ratings' },
    ttlMs: 3_600_000,
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
  });
  const forward = new URL(mesh.proxy('ratings-v1').httpProxy ?? '');
  const target = { host: forward.hostname, port: Number(forward.port), authority: 'productpage:9080' };
  const load = new Load({ ...target, path: 'http://productpage:9080/' }, 100);
  await expect.poll(() => load.sent, { timeout: 10_000 }).toBeGreaterThan(200);
  const before = residentMiB();
  let highest = before;
  const watch = setInterval(() => (highest = Math.max(highest, residentMiB())), 50);
  const greedy = Promise.all(Array.from({ length: STREAMS }, (_, stream) => ask(stream)));
  const startedMs = performance.now();
  const applied = await mesh.run('apply', '--wait', '-f', join(scratch, 'update.yaml'));
  const updatedMs = Math.round(performance.now() - startedMs);
  const ends = await greedy;
  const after = residentMiB();
  // Once more: nothing of what it asked for first is held.
  ends.push(...(await Promise.all(Array.from({ length: STREAMS }, (_, stream) => ask(STREAMS + stream)))));
  clearInterval(watch);
  const afterMore = residentMiB();
  const updated = new Load({ ...target, path: 'http://productpage:9080/new' }, 20);
  await expect.poll(() => updated.sent, { timeout: 5_000 }).toBeGreaterThan(5);
  const { sent, failures } = await load.stop();
  await updated.stop();
  console.log(
    `${STREAMS} streams of ${NAMES} names: ${failures.length} of ${sent} requests failed; control plane ` +
      `${before.toFixed(0)} MiB before, ${highest.toFixed(0)} at most, ${after.toFixed(0)} after, ` +
      `${afterMore.toFixed(0)} after as many once more; ` +
      `an update was with all others after ${updatedMs} ms`,
  );
  expect(failures).toEqual([]);
  expect(applied).toMatchObject({ code: 0 });
  for (const end of ends) expect(end?.message).toMatch(/docs\/limits\.md|pilot\./);
  expect(highest - before).toBeLessThan(350);
  expect(afterMore - after).toBeLessThan(100);
}, 60_000);
