import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import type { CommandResult } from './mesh.ts';

/** A running Bookinfo mesh, of whatever kind, that the tour is taken through. */
export interface TourMesh {
  /** Base URL of the ingress gateway as this process reaches it. */
  readonly ingress: string;
  /** How long it took to be ready. */
  readonly seconds: number;
  /** Applies files. Rejects with what the command said when that fails. */
  apply(...files: string[]): Promise<void>;
  /** Calls reviews from productpage's workload, through its sidecar; how often each version answered. */
  countReviews(count: number): Promise<ReadonlyMap<string, number>>;
  /** Prometheus text of a workload's proxy, such as `productpage-v1`. */
  metrics(workload: string): Promise<string>;
  /** `flotilla proxy-status` against this mesh. */
  proxyStatus(): Promise<CommandResult>;
  stop(): Promise<void>;
}

export interface TourOptions {
  start(): Promise<TourMesh>;
  /** Path of one of Istio's files for Bookinfo, by its name without `.yaml`. */
  file(name: string): string;
  readonly readyWithinSeconds: number;
  /** How soon an applied file must show; default 1 s. */
  readonly effectWithinMs?: number;
  /** Limit for starting and for stopping the mesh; default vitest's. */
  readonly startWithinMs?: number;
}

const EFFECT_DEADLINE_MS = 1_000;
// One percent of 20,000 is 4.7 standard deviations of a fair 90 to 10 split: chance alone does not fail the test.
const SPLIT_REQUESTS = 20_000;

/** Bookinfo's tour with Istio's own files, in order. One suite for every way to run the mesh. */
export function tourSuite(title: string, options: TourOptions): void {
  const effectWithinMs = options.effectWithinMs ?? EFFECT_DEADLINE_MS;

  describe(title, () => {
    let mesh: TourMesh;
    let ingress: string;

    beforeAll(async () => {
      mesh = await options.start();
      ingress = mesh.ingress;
    }, options.startWithinMs);
    afterAll(() => mesh?.stop(), options.startWithinMs);

    /** Applies Istio's file, then asks until `effect` holds; fails when that takes too long. */
    async function applied(name: string, effect: () => Promise<boolean>): Promise<void> {
      await mesh.apply(options.file(name));
      const deadline = performance.now() + effectWithinMs;
      while (!(await effect())) {
        if (performance.now() > deadline) expect.fail(`${name} had no effect within ${effectWithinMs} ms`);
      }
    }

    async function versionsOf(count: number, user?: string): Promise<Set<string | null>> {
      const seen = new Set<string | null>();
      for (let index = 0; index < count; index++) seen.add((await fetchPage(ingress, user)).reviews);
      return seen;
    }

    const only = (version: string, count: number, user?: string) => async () =>
      [...(await versionsOf(count, user))].join() === version;

    it(`is ready within ${options.readyWithinSeconds} seconds`, () => {
      expect(mesh.seconds).toBeLessThan(options.readyWithinSeconds);
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
      await mesh.apply(options.file('virtual-service-ratings-test-delay'));
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
      const counts = await mesh.countReviews(SPLIT_REQUESTS);
      expect(counts.get('v1') ?? 0).toBeGreaterThan(SPLIT_REQUESTS * 0.89);
      expect(counts.get('v1') ?? 0).toBeLessThan(SPLIT_REQUESTS * 0.91);
      expect(counts.get('v2')).toBe(SPLIT_REQUESTS - (counts.get('v1') ?? 0));
    }, 120_000);

    it('virtual-service-reviews-50-v3: half v1, half v3', async () => {
      await applied('virtual-service-reviews-50-v3', async () => (await versionsOf(10)).has('v3'));
      const counts = await mesh.countReviews(2_000);
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
      const lines = (await mesh.metrics('productpage-v1'))
        .split('\n')
        .filter((line) => line.startsWith('istio_requests_total{'));
      expect(lines.some((line) => line.includes('connection_security_policy="mutual_tls"'))).toBe(true);
    });

    it('leaves every proxy in sync', async () => {
      const status = await mesh.proxyStatus();
      expect(status).toMatchObject({ code: 0 });
      expect(status.stdout).not.toContain('STALE');
    });
  });
}
