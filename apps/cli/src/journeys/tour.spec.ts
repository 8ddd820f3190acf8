import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import { repository, TestMesh } from './mesh.ts';

const EFFECT_DEADLINE_MS = 1_000;
// One percent of 20,000 is 4.7 standard deviations of a fair 90 to 10 split: chance alone does not fail the test.
const SPLIT_REQUESTS = 20_000;

withPeer('corpus', (corpus) => {
  const istio = (name: string) => join(corpus, 'istio-samples/bookinfo/networking', `${name}.yaml`);

  describe("Bookinfo's tour with Istio's own files", () => {
    let mesh: TestMesh;
    let ingress: string;

    beforeAll(async () => {
      mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
      ingress = mesh.summary.ingress;
    });
    afterAll(() => mesh?.stop());

    /** Applies Istio's file, then asks until `effect` holds; fails when that takes longer than a second. */
    async function applied(name: string, effect: () => Promise<boolean>): Promise<void> {
      await mesh.apply(istio(name));
      const deadline = performance.now() + EFFECT_DEADLINE_MS;
      while (!(await effect())) {
        if (performance.now() > deadline) expect.fail(`${name} had no effect within ${EFFECT_DEADLINE_MS} ms`);
      }
    }

    async function versionsOf(count: number, user?: string): Promise<Set<string | null>> {
      const seen = new Set<string | null>();
      for (let index = 0; index < count; index++) seen.add((await fetchPage(ingress, user)).reviews);
      return seen;
    }

    const only = (version: string, count: number, user?: string) => async () =>
      [...(await versionsOf(count, user))].join() === version;

    it('is ready within 10 seconds', () => {
      expect(mesh.summary.seconds).toBeLessThan(10);
    });

    it('serves the page, with all three versions of the reviews in turn', async () => {
      expect((await fetchPage(ingress)).status).toBe(200);
      expect(await versionsOf(60)).toEqual(new Set(['v1', 'v2', 'v3']));
    });

    it('bookinfo-gateway: the page stays reachable through the gateway, other paths do not', async () => {
      await applied('bookinfo-gateway', async () => (await fetch(`${ingress}/`)).status === 404);
      expect((await fetchPage(ingress)).status).toBe(200);
    });

    it('destination-rule-all: subsets exist, traffic stays as it was', async () => {
      await applied('destination-rule-all', async () => (await fetchPage(ingress)).status === 200);
      expect(await versionsOf(60)).toEqual(new Set(['v1', 'v2', 'v3']));
    });

    it('virtual-service-all-v1: only v1 answers', async () => {
      await applied('virtual-service-all-v1', only('v1', 8));
      expect(await versionsOf(50)).toEqual(new Set(['v1']));
      expect((await fetchPage(ingress)).stars).toBe('none');
    });

    it('virtual-service-reviews-test-v2: jason sees v2, everybody else v1', async () => {
      await applied('virtual-service-reviews-test-v2', only('v2', 4, 'jason'));
      expect(await versionsOf(10, 'jason')).toEqual(new Set(['v2']));
      expect(await versionsOf(10, 'anna')).toEqual(new Set(['v1']));
      expect(await versionsOf(10)).toEqual(new Set(['v1']));
      expect((await fetchPage(ingress, 'jason')).stars).toBe('black');
    });

    it('virtual-service-ratings-test-delay: jason waits, and the time-outs of the page make an error of it', async () => {
      await mesh.apply(istio('virtual-service-ratings-test-delay'));
      const page = await fetchPage(ingress, 'jason');
      expect(page.hasReviewsError).toBe(true);
      expect(page.seconds).toBeGreaterThan(5.5);
      expect(page.seconds).toBeLessThan(9);
      const other = await fetchPage(ingress, 'anna');
      expect(other).toMatchObject({ hasReviewsError: false, reviews: 'v1' });
      expect(other.seconds).toBeLessThan(2);
    });

    it('virtual-service-ratings-test-abort: jason sees that the ratings are unavailable, at once', async () => {
      await applied(
        'virtual-service-ratings-test-abort',
        async () => (await fetchPage(ingress, 'jason')).hasRatingsError,
      );
      const page = await fetchPage(ingress, 'jason');
      expect(page.reviews).toBe('v2');
      expect(page.seconds).toBeLessThan(2);
      expect((await fetchPage(ingress, 'anna')).hasRatingsError).toBe(false);
    });

    it('virtual-service-reviews-90-10: requests split 90 to 10, within one percent', async () => {
      await applied('virtual-service-reviews-90-10', async () => (await versionsOf(20, 'jason')).has('v1'));
      const counts = await splitOf(mesh, SPLIT_REQUESTS);
      expect(counts.get('v1') ?? 0).toBeGreaterThan(SPLIT_REQUESTS * 0.89);
      expect(counts.get('v1') ?? 0).toBeLessThan(SPLIT_REQUESTS * 0.91);
      expect(counts.get('v2')).toBe(SPLIT_REQUESTS - (counts.get('v1') ?? 0));
    }, 120_000);

    it('virtual-service-reviews-50-v3: half v1, half v3', async () => {
      await applied('virtual-service-reviews-50-v3', async () => (await versionsOf(10)).has('v3'));
      const counts = await splitOf(mesh, 2_000);
      expect([...counts.keys()].sort()).toEqual(['v1', 'v3']);
      expect(counts.get('v3') ?? 0).toBeGreaterThan(850);
      expect(counts.get('v3') ?? 0).toBeLessThan(1_150);
    }, 60_000);

    it('virtual-service-reviews-v3: only v3 answers, with red stars', async () => {
      await applied('virtual-service-reviews-v3', only('v3', 8));
      expect(await versionsOf(30)).toEqual(new Set(['v3']));
      expect((await fetchPage(ingress)).stars).toBe('red');
    });

    it('destination-rule-all-mtls: everything goes on, over mutual TLS', async () => {
      await applied('destination-rule-all-mtls', only('v3', 4));
      const dump = await (await fetch(`${mesh.proxy('productpage-v1').admin}/stats/prometheus`)).text();
      const lines = dump.split('\n').filter((line) => line.startsWith('istio_requests_total{'));
      expect(lines.some((line) => line.includes('connection_security_policy="mutual_tls"'))).toBe(true);
    });

    it('leaves every proxy in sync', async () => {
      const status = await mesh.run('proxy-status');
      expect(status).toMatchObject({ code: 0 });
      expect(status.stdout).not.toContain('STALE');
    });
  });
});

/** Calls reviews as productpage does, through productpage's sidecar, and counts the versions that answered. */
async function splitOf(mesh: TestMesh, count: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const { request, Agent } = await import('node:http');
  const proxy = new URL(mesh.proxy('productpage-v1').httpProxy ?? '');
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const call = request(
        {
          host: proxy.hostname,
          port: proxy.port,
          agent,
          path: 'http://reviews:9080/reviews/0',
          headers: { host: 'reviews:9080' },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (body += chunk));
          response.on('end', () => {
            const version = /"podname":\s*"reviews-(v\d)"/.exec(body)?.[1] ?? `status ${response.statusCode}`;
            counts.set(version, (counts.get(version) ?? 0) + 1);
            resolve();
          });
        },
      );
      call.once('error', reject);
      call.end();
    });
  let left = count;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left-- > 0) await one();
    }),
  );
  agent.destroy();
  return counts;
}
