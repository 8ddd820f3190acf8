import { setTimeout as delay } from 'node:timers/promises';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage, type Page } from '../bookinfo-page.ts';
import { bookinfo } from './bookinfo.ts';
import { NamespacedMesh } from './namespaced-mesh.ts';

const READERS = 6;
const LOAD_AROUND_MS = 2_000;

withPeer('network-namespaces', () => {
  describe('a captured sidecar that is told to end under load', () => {
    let mesh: NamespacedMesh;
    let ingress: string;

    beforeAll(async () => {
      mesh = await NamespacedMesh.start(bookinfo);
      ingress = `http://${mesh.host('ingress').ipv4}:8080`;
    }, 120_000);
    afterAll(() => mesh?.stop(), 60_000);

    // Both call ratings for every page: their outbound side must outlive the inbound one.
    it.each(['reviews-v2', 'reviews-v3'])(
      '%s fails no request',
      async (name) => {
        const version = name.slice(-2);
        await expect.poll(async () => (await fetchPage(ingress)).reviews, { timeout: 20_000 }).toBe(version);
        const reading = new AbortController();
        const pages = Promise.all(Array.from({ length: READERS }, () => readPages(ingress, reading.signal)));
        await delay(LOAD_AROUND_MS);
        const proxy = mesh.proxy(name);
        await mesh.end(proxy, 'SIGTERM');
        await delay(LOAD_AROUND_MS);
        reading.abort();
        const read = (await pages).flat();
        expect(read.filter(isFaulty).map(({ status, html }) => `${status} ${html.slice(0, 200)}`)).toEqual([]);
        expect(read.filter(({ reviews }) => reviews === version).length).toBeGreaterThan(0);
        expect(read.at(-1)?.reviews).not.toBe(version);
        expect(proxy.exitCode).toBe(0);
      },
      60_000,
    );
  });
});

function isFaulty({ status, hasReviewsError, hasRatingsError, html }: Page): boolean {
  return status !== 200 || hasReviewsError || hasRatingsError || html.includes('Error fetching product details!');
}

/** One page after another. */
async function readPages(ingress: string, signal: AbortSignal): Promise<Page[]> {
  const pages: Page[] = [];
  while (!signal.aborted) pages.push(await fetchPage(ingress));
  return pages;
}
