import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openInventory } from './inventory.ts';

const [A, B] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flotilla-inventory-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('an inventory', () => {
  it('lets a part be made that never was, and holds it to be the same ever after', () => {
    const first = openInventory({ places: [root] });
    first.check('store', [], 'here');
    first.record('store', A);
    const again = openInventory({ places: [root] });
    again.check('store', [A], 'here');
    again.check('root', [], 'here');
    expect(() => again.check('store', [], 'here')).toThrow(/here had the store aaaaaaaaaaaa .*, and there is none now/);
    expect(() => again.check('store', [B], 'here')).toThrow(/what is there now is another one, bbbbbbbbbbbb/);
    expect(statSync(join(root, 'inventory.json')).mode & 0o777).toBe(0o600);
  });

  it('takes a part that was made in the place of the one it knows', () => {
    const inventory = openInventory({ places: [root] });
    inventory.record('store', A);
    inventory.check('store', [B, A], 'here');
  });

  it('names the option that means it, which means this loss and no other', () => {
    openInventory({ places: [root] }).record('store', A);
    const refusal = (): unknown => {
      try {
        return openInventory({ places: [root] }).check('store', [], 'here');
      } catch (error) {
        return error;
      }
    };
    expect(refusal()).toMatchObject({
      code: 'invalid',
      hint: expect.stringContaining('--begin-anew store:aaaaaaaaaaaa'),
    });
    const meant = openInventory({ places: [root], beginAnew: ['store:aaaaaaaaaaaa'] });
    meant.check('store', [], 'here');
    meant.record('store', B);
    const stale = openInventory({ places: [root], beginAnew: ['store:aaaaaaaaaaaa'] });
    expect(() => stale.check('store', [], 'here')).toThrow(/had the store bbbbbbbbbbbb/);
  });

  it('remembers in each of its places, and is made whole by those that are left', () => {
    const places = [join(root, 'a'), join(root, 'b')];
    openInventory({ places }).record('root', A);
    rmSync(join(root, 'a'), { recursive: true });
    const left = openInventory({ places });
    expect(() => left.check('root', [], 'here')).toThrow(/had the root/);
    left.record('root', A);
    rmSync(join(root, 'b'), { recursive: true });
    expect(() => openInventory({ places }).check('root', [], 'here')).toThrow(/had the root/);
  });

  it('without a place wants to be told that there was none', () => {
    expect(() => openInventory({ places: [] }).check('store', [], 'here')).toThrow(
      /nothing remembers whether it had one/,
    );
    openInventory({ places: [], beginAnew: ['store:first'] }).check('store', [], 'here');
    openInventory({ places: [] }).check('store', [A], 'here');
  });

  it.each(['', '{"store":', '[1]', '{"store":1}', '{"other":"aaaaaaaaaaaaaaaa"}'])(
    'refuses one that is damaged: %s',
    (text) => {
      writeFileSync(join(root, 'inventory.json'), text);
      expect(() => openInventory({ places: [root] })).toThrow(/inventory.json is damaged/);
    },
  );

  it.each(['store', 'store:', 'shop:aaaaaaaaaaaa', 'store:yes'])('refuses the wish %s', (wish) => {
    expect(() => openInventory({ places: [root], beginAnew: [wish] })).toThrow(
      /names nothing that could be begun anew/,
    );
  });
});
