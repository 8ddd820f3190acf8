import { request } from 'node:http';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { freePorts, withPeer } from '@flotilla/testing';
import { sidecarNode } from '@flotilla/translate/testing';
import { PilotService } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { createClient } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { serveSecrets, startStockEnvoy } from '../testing/stock-envoy.ts';
import { startWorld } from '../testing/world.ts';

/** A host that the proxy itself answers for. */
const rule = (namespace: string, body: string, header: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: rule, namespace: ${namespace} }
spec:
  hosts: [${namespace}.example.com]
  http:
    - directResponse: { status: 200, body: { string: ${body} } }
      headers: { response: { set: { x-by: '${header}' } } }
`;

/** The answer through the proxy: its status and body. */
function ask(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: `http://${host}/`, headers: { host } }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    });
    sent.on('error', (error) => resolve(error.message));
    sent.end();
  });
}

withPeer('envoy', (path) => {
  describe.each(['delta', 'sotw'] as const)('stock Envoy that refuses one rule, by %s', (protocol) => {
    it('gets the changes of another namespace, and no request fails', { timeout: 60_000 }, async () => {
      const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'default' };
      const secrets = await serveSecrets(await (await createTestAuthority()).issue(id));
      const [port = 0] = await freePorts(1);
      // Written past galley, which would refuse the second version of the first rule.
      const world = await startWorld([rule('team-a', 'a1', 'fine'), rule('team-b', 'b1', 'fine')].join('---'));
      const node = sidecarNode({ httpProxyPort: port, ports: [] });
      const envoy = await startStockEnvoy({ path, node, xds: world.pilot.xds, sds: secrets.address, protocol });
      try {
        await expect.poll(() => ask(port, 'team-a.example.com'), { timeout: 20_000 }).toBe('200 a1');
        let requests = 0;
        let failed = 0;
        const count = async (host: string): Promise<string> => {
          const answer = await ask(port, host);
          requests += 1;
          if (!answer.startsWith('200 ')) failed += 1;
          return answer;
        };
        world.galley.write(rule('team-a', 'a2', '50%'));
        world.galley.write(rule('team-b', 'b2', 'fine'));
        await expect.poll(() => count('team-b.example.com'), { timeout: 20_000 }).toBe('200 b2');
        expect(await count('team-a.example.com')).toBe('200 a1');
        const { withheld } = await createClient(PilotService, world.api).listProxies({});
        expect(withheld).toMatchObject([
          { kind: 'VirtualService', namespace: 'team-a', name: 'rule', suspected: false },
        ]);
        expect(withheld[0]?.agent).toMatch(/^test\/\d/);
        world.galley.write(rule('team-a', 'a3', '50%%'));
        await expect.poll(() => count('team-a.example.com'), { timeout: 20_000 }).toBe('200 a3');
        console.log(`${protocol}: ${requests} requests, ${failed} failed; Envoy said: ${withheld[0]?.reason}`);
        expect(failed).toBe(0);
      } finally {
        await envoy.close();
        await world.close();
        secrets.close();
      }
    });
  });
});
