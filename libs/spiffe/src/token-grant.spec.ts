import 'reflect-metadata';
import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing.ts';
import { tokenGrantOf } from './token-grant.ts';

const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'a' };
const authority = await createTestAuthority();
const derOf = (pem: string) => new X509Certificate(pem).raw;

describe('the grant of a certificate', () => {
  it('is what its authority wrote, whatever the names', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.option(fc.string()), async (tokenId, workload) => {
        const { chainPem } = await authority.issue(id, { grant: { tokenId, workload } });
        expect(tokenGrantOf(derOf(chainPem))).toEqual({ tokenId, workload });
      }),
      { numRuns: 20 },
    );
  });

  it('is nothing in a certificate without one', async () => {
    expect(tokenGrantOf(derOf((await authority.issue(id)).chainPem))).toBeNull();
  });

  it('reads or refuses whatever bytes it is given', async () => {
    const der = derOf((await authority.issue(id, { grant: { tokenId: 'a', workload: 'b' } })).chainPem);
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(der);
        changed[at] = byte;
        try {
          tokenGrantOf(changed);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
