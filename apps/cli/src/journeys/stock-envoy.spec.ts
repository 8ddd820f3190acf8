import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import { repository, TestMesh } from './mesh.ts';

interface ProxyStatusJson {
  readonly proxies: readonly {
    readonly nodeId: string;
    readonly agent: string;
    readonly types: readonly { readonly typeUrl: string; readonly state: string; readonly resourceCount: number }[];
  }[];
}

withPeer('envoy', (envoy) => {
  withPeer('corpus', (corpus) => {
    const istio = (name: string) => join(corpus, 'istio-samples/bookinfo/networking', `${name}.yaml`);

    describe("stock Envoy as productpage's sidecar and as the ingress gateway", () => {
      let mesh: TestMesh;

      beforeAll(async () => {
        mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'), [
          ...['--envoy', envoy, '--envoy-for', 'productpage-v1', '--envoy-for', 'istio-ingressgateway'],
        ]);
      });
      afterAll(() => mesh?.stop());

      it('serves the page', async () => {
        expect(await fetchPage(mesh.summary.ingress)).toMatchObject({ status: 200, hasReviewsError: false });
      });

      it('is really Envoy', async () => {
        const info = await (await fetch(`${mesh.proxy('productpage-v1').admin}/server_info`)).text();
        expect(info).toContain('BoringSSL');
      });

      it('holds the canary', async () => {
        await mesh.apply(istio('destination-rule-all'), istio('virtual-service-all-v1'));
        await mesh.apply(istio('virtual-service-reviews-test-v2'));
        await expect.poll(async () => (await fetchPage(mesh.summary.ingress, 'jason')).reviews).toBe('v2');
        for (let index = 0; index < 10; index++) {
          expect((await fetchPage(mesh.summary.ingress, 'jason')).reviews).toBe('v2');
          expect((await fetchPage(mesh.summary.ingress)).reviews).toBe('v1');
        }
      });

      it('splits by weight', async () => {
        await mesh.apply(istio('virtual-service-reviews-50-v3'));
        await expect.poll(async () => (await fetchPage(mesh.summary.ingress)).reviews).toBe('v3');
        const seen = new Set<string | null>();
        for (let index = 0; index < 30; index++) seen.add((await fetchPage(mesh.summary.ingress)).reviews);
        expect(seen).toEqual(new Set(['v1', 'v3']));
      });

      it('acknowledges every resource', async () => {
        const status = await mesh.run('proxy-status', '-o', 'json');
        // The command's own documented output.
        const { proxies } = JSON.parse(status.stdout) as ProxyStatusJson;
        const envoys = proxies.filter(({ agent }) => agent.startsWith('envoy'));
        expect(envoys.map(({ nodeId }) => nodeId.split('~')[2]).sort()).toEqual([
          'istio-ingressgateway.istio-system',
          'productpage-v1.default',
        ]);
        for (const { types } of envoys) {
          expect(types.filter(({ state }) => state === 'SYNCED').length).toBeGreaterThanOrEqual(4);
          expect(types.filter(({ state }) => state !== 'SYNCED' && state !== 'NOT SENT')).toEqual([]);
        }
      });
    });
  });
});
