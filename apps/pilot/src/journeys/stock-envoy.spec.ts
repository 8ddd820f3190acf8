import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { freePorts, withPeer } from '@flotilla/testing';
import { type ProxyStatus, SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { meshConfig, type NodeInit, routerNode, sidecarNode } from '@flotilla/translate/testing';
import { type SecretServer, serveSecrets, startStockEnvoy } from '../testing/stock-envoy.ts';
import { startWorld, type World } from '../testing/world.ts';

const bound = (name: string, port: number, bindPort: number) => ({
  name,
  port,
  bindAddress: '127.0.0.1',
  bindPort,
  appAddress: '127.0.0.1',
  appPort: 1,
});

/** One proxy of each kind, on ports of its own. */
async function proxies(): Promise<Record<string, NodeInit>> {
  const [p1 = 0, p2 = 0, p3 = 0, p4 = 0, p5 = 0, p6 = 0, p7 = 0, p8 = 0, p9 = 0] = await freePorts(9);
  const web = { app: 'web' };
  const ports = [bound('http', 8080, p1), bound('grpc-api', 7070, p2), bound('tcp-raw', 9000, p3)];
  const servers = [bound('http', 80, p5), bound('http2', 8080, p6), bound('https', 443, p7), bound('tcp', 9000, p8)];
  return {
    'an explicit sidecar': sidecarNode({ labels: web, httpProxyPort: p4, ports }),
    'a redirecting sidecar': sidecarNode({ labels: web }),
    'a redirecting sidecar with IPv6': sidecarNode({ labels: web, ips: '10.0.0.1,fd00::1' }),
    'a sidecar with a scope': sidecarNode({ labels: { ...web, scoped: 'yes' }, httpProxyPort: p9, ports: [] }),
    'a gateway': routerNode({ labels: { istio: 'ingressgateway' }, ports: servers }),
  };
}

withPeer('envoy', (path) => {
  describe('stock Envoy takes everything that pilot says', () => {
    let certificate: WorkloadCertificate;
    let secrets: SecretServer;
    let folder: string;
    let world: World;

    beforeAll(async () => {
      const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'default' };
      certificate = await (await createTestAuthority()).issue(id);
      secrets = await serveSecrets(certificate);
      folder = mkdtempSync(join(tmpdir(), 'flotilla-files-'));
      writeFileSync(join(folder, 'certificate.pem'), certificate.chainPem);
      writeFileSync(join(folder, 'key.pem'), certificate.privateKeyPem);
      const yaml = readFileSync(join(import.meta.dirname, 'every-feature.yaml'), 'utf8')
        .replaceAll('CERTIFICATE', join(folder, 'certificate.pem'))
        .replaceAll(': KEY', `: ${join(folder, 'key.pem')}`);
      world = await startWorld(yaml, { meshConfig: meshConfig({ accessLogFile: '/dev/stdout' }) });
      await world.pilot.ready;
    });

    afterAll(async () => {
      secrets.close();
      await world.close();
      rmSync(folder, { recursive: true });
    });

    describe.each(['delta', 'sotw'] as const)('%s', (protocol) => {
      test.each([
        'an explicit sidecar',
        'a redirecting sidecar',
        'a redirecting sidecar with IPv6',
        'a sidecar with a scope',
        'a gateway',
      ])('%s', async (kind) => {
        const node = (await proxies())[kind];
        if (node === undefined) throw new Error(`no ${kind}`);
        const envoy = await startStockEnvoy({ path, node, xds: world.pilot.xds, sds: secrets.address, protocol });
        try {
          const status = await settled(world, node.id ?? '');
          expect(refusals(status)).toEqual([]);
          expect(status.types.map((type) => type.state)).toEqual(status.types.map(() => SyncState.SYNCED));
          expect(status.types.length).toBeGreaterThanOrEqual(3);
        } finally {
          await envoy.close();
        }
      });
    });
  });
});

/** The status of a proxy once nothing is due any more; Envoy is a process of its own, so this has to ask. */
async function settled(world: World, nodeId: string): Promise<ProxyStatus> {
  for (let quiet = 0; ;) {
    await sleep(50);
    const status = (await world.proxies()).find((proxy) => proxy.nodeId === nodeId && proxy.types.length >= 3);
    if (status === undefined) continue;
    if (refusals(status).length > 0) return status;
    quiet = status.types.every((type) => type.state === SyncState.SYNCED) ? quiet + 1 : 0;
    if (quiet === 6) return status;
  }
}

function refusals(status: ProxyStatus): string[] {
  return status.types.flatMap((type) => (type.errorDetail === '' ? [] : [`${type.typeUrl}: ${type.errorDetail}`]));
}
