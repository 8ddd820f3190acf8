import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@flotilla/observe';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import type { Caller } from '@flotilla/rpc';
import { startCitadel, type CitadelOptions } from '../start.ts';

export const trustDomain = 'cluster.local';
export const reviews = { trustDomain, namespace: 'default', serviceAccount: 'bookinfo-reviews' };
export const ratings = { trustDomain, namespace: 'default', serviceAccount: 'bookinfo-ratings' };
export const istiod = { trustDomain, namespace: 'istio-system', serviceAccount: 'istiod' };

/** A citadel over a temporary directory, for a test. */
export async function startTestCitadel({
  dataDir: given,
  ...options
}: Partial<Omit<CitadelOptions, 'keys'>> & { readonly dataDir?: string } = {}) {
  const dataDir = given ?? mkdtempSync(join(tmpdir(), 'flotilla-citadel-'));
  const citadel = await startCitadel({
    trustDomain,
    defaultTtlMs: 24 * 3_600_000,
    maxTtlMs: 24 * 3_600_000,
    authoriseAdmin(caller: Caller) {
      if (caller.bearerToken !== 'admin') throw new FlotillaError('unauthenticated', 'not the administrator');
    },
    logger: silentLogger,
    clock: systemClock,
    ...options,
    keys: { directory: dataDir },
  });
  return { ...citadel, dataDir, remove: () => rmSync(dataDir, { recursive: true, force: true }) };
}
