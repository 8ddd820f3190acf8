import { afterEach, describe, expect, it } from 'vitest';
import type { Membership } from './membership.ts';

/** What every membership does. `make` is called per test; `twin` makes a second one that shares its store. */
export function membershipSuite(
  make: () => Promise<Membership>,
  twin: (membership: Membership) => Promise<Membership>,
): void {
  const open: Membership[] = [];
  const start = async (): Promise<{ a: Membership; b: Membership }> => {
    const a = await make();
    const b = await twin(a);
    open.push(a, b);
    return { a, b };
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((membership) => membership.close()));
  });

  describe('a membership', () => {
    it('says who joined, to itself and to others', async () => {
      const { a, b } = await start();
      await a.join('pilot-1');
      expect(await a.isPresent('pilot-1')).toBe(true);
      expect(await b.isPresent('pilot-1')).toBe(true);
      expect(await b.isPresent('pilot-2')).toBe(false);
    });

    it('joins twice without complaint, and as several', async () => {
      const { a, b } = await start();
      await a.join('pilot-1');
      await a.join('pilot-1');
      await a.join('pilot-2');
      expect(await Promise.all([b.isPresent('pilot-1'), b.isPresent('pilot-2')])).toEqual([true, true]);
    });

    it('no longer says who closed, and still says the others', async () => {
      const { a, b } = await start();
      await a.join('pilot-1');
      await b.join('pilot-2');
      await a.close();
      expect(await b.isPresent('pilot-1')).toBe(false);
      expect(await b.isPresent('pilot-2')).toBe(true);
    });

    it('refuses with unavailable once closed, and closes twice without complaint', async () => {
      const { a } = await start();
      await a.close();
      await a.close();
      await expect(a.join('pilot-1')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(a.isPresent('pilot-1')).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}
