import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toJson } from '@bufbuild/protobuf';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { createTestAuthority, createTestIdentity } from '@flotilla/spiffe/testing';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { describe, expect, it, vi } from 'vitest';
import { checkBootstrap } from '../bootstrap/check.ts';
import { loadAllTypes } from '../bootstrap/extension-types.ts';
import { compileGrpcCluster } from '../config/grpc-cluster.ts';
import { openSdsClient } from '../identity/sds-client.ts';
import { createSecretTable } from '../identity/secret-table.ts';
import type { AgentOptions } from './agent-options.ts';
import { buildBootstrap } from './bootstrap.ts';
import { buildNode } from './node.ts';
import { serveSds } from './sds-server.ts';
import { startAgent } from './start-agent.ts';

const OPTIONS: AgentOptions = {
  kind: 'sidecar',
  workload: 'reviews-v2',
  namespace: 'default',
  serviceAccount: 'bookinfo-reviews',
  labels: { app: 'reviews', version: 'v2' },
  instance: 'one',
  ips: ['127.0.0.1'],
  ports: [
    {
      name: 'http',
      port: 9080,
      protocol: '',
      bindAddress: '127.0.0.1',
      bindPort: 21001,
      appAddress: '127.0.0.1',
      appPort: 21002,
    },
  ],
  interceptionMode: 'NONE',
  httpProxyPort: 21003,
  admin: { host: '127.0.0.1', port: 15000 },
  localUsers: [],
  discovery: { addresses: [{ host: '127.0.0.1', port: 15012 }] },
  ca: { url: 'https://127.0.0.1:8060' },
  token: 'not-to-be-written-down',
  certificateTtlMs: 3_600_000,
  trustDomain: 'cluster.local',
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
};

const SOCKETS = { sdsPath: '/run/agent/sds.sock', adminPath: '/run/agent/admin.sock' };

describe('an agent with the own data plane', () => {
  it('tells local users apart only where it can', async () => {
    for (const where of [{ envoy: '/usr/bin/envoy' }, { interceptionMode: 'REDIRECT' as const }]) {
      await expect(startAgent({ ...OPTIONS, ...where, localUsers: [0] })).rejects.toThrow('can tell local users apart');
    }
  });

  it('is one process: it refuses to be several before it asks for an identity', async () => {
    await expect(startAgent({ ...OPTIONS, concurrency: 2 })).rejects.toThrow('concurrency cannot be more than 1');
  });
});

describe("the agent's bootstrap", () => {
  it('names the proxy as Istio does', () => {
    const node = buildNode(OPTIONS, [{ name: 'istio.stats', typeUrl: 'type.googleapis.com/stats.PluginConfig' }]);
    expect(node.id).toBe('sidecar~127.0.0.1~reviews-v2.default~default.svc.cluster.local');
    expect(node.cluster).toBe('reviews.default');
    expect(node.metadata).toMatchObject({
      NAMESPACE: 'default',
      SERVICE_ACCOUNT: 'bookinfo-reviews',
      LABELS: { version: 'v2' },
      INTERCEPTION_MODE: 'NONE',
      HTTP_PROXY_PORT: '21003',
      FLOTILLA_PORTS: [{ name: 'http', port: 9080, bindPort: 21001, appPort: 21002 }],
    });
    expect(node.extensions).toMatchObject([{ name: 'istio.stats', typeUrls: ['stats.PluginConfig'] }]);
  });

  it('asks for everything over delta ADS, expects pilot by its identity, and holds no secret', async () => {
    const bootstrap = buildBootstrap(OPTIONS, buildNode(OPTIONS, []), SOCKETS);
    const own = buildBootstrap(OPTIONS, buildNode(OPTIONS, []), null);
    expect(checkBootstrap(own, { cluster: () => undefined, listener: () => undefined })).toEqual([]);
    const json = JSON.stringify(
      toJson(BootstrapSchema, bootstrap, { registry: await loadAllTypes(), useProtoFieldName: true }),
    );
    expect(json).toContain('"api_type":"DELTA_GRPC"');
    expect(json).toContain('"exact":"spiffe://cluster.local/ns/istio-system/sa/istiod"');
    expect(json).toContain('"path":"/run/agent/sds.sock"');
    expect(json).not.toContain(String(OPTIONS.token));
  });
});

describe('secrets over a Unix socket', () => {
  it('reach an SDS client, and again after each rotation', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-sds-'));
    const authority = await createTestAuthority();
    const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'a' };
    const first = await authority.issue(id);
    const second = await authority.issue(id);
    const identity = createTestIdentity(first);
    const server = await serveSds({
      path: join(folder, 'sds.sock'),
      identity,
      clock: systemClock,
      logger: silentLogger,
    });
    const secrets = createSecretTable();
    const bootstrap = buildBootstrap(OPTIONS, create(NodeSchema, { id: 'x' }), { ...SOCKETS, sdsPath: server.path });
    const cluster = bootstrap.staticResources?.clusters.find(({ name }) => name === 'sds-grpc');
    if (cluster === undefined) throw new Error('the bootstrap has an SDS cluster');
    const clients = ['default', 'ROOTCA'].map((name) =>
      openSdsClient({
        cluster: compileGrpcCluster(cluster, secrets, systemClock),
        node: create(NodeSchema, { id: 'x' }),
        secret: secrets.holder(name),
        clock: systemClock,
        random: () => 0,
        logger: silentLogger,
      }),
    );
    try {
      await vi.waitFor(() => expect(secrets.holder('default').current()).toMatchObject({ chainPem: first.chainPem }));
      await vi.waitFor(() => expect(secrets.holder('ROOTCA').current()).toMatchObject({ kind: 'validation' }));
      identity.set(second);
      await vi.waitFor(() =>
        expect(secrets.holder('default').current()).toMatchObject({ privateKeyPem: second.privateKeyPem }),
      );
      expect(secrets.holder('default').version()).toBe(2);
    } finally {
      for (const client of clients) client.close();
      await server.close();
      await rm(folder, { recursive: true });
    }
  });
});
