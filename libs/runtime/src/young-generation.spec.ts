import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const MODULE = join(import.meta.dirname, 'young-generation.ts');

/** MiB of the young generation of a program that does this before it makes much that lives for a while. */
function sizeAfter(before: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { holdYoungGeneration, releaseYoungGeneration } from ${JSON.stringify(MODULE)};
    ${before}
    const alive = [];
    for (let turn = 0; turn < 200; turn++) {
      for (let index = 0; index < 20_000; index++) alive[index] = { turn, index, more: [turn] };
      await new Promise(setImmediate);
    }
    console.log(getHeapSpaceStatistics().find((each) => each.space_name === 'new_space').space_size / 2 ** 20);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }));
}

it('stays small while it is held, and grows no further than its limit when it is released', () => {
  const [free, held, released] = [
    sizeAfter(''),
    sizeAfter('holdYoungGeneration();'),
    sizeAfter('holdYoungGeneration(); releaseYoungGeneration();'),
  ];
  expect(free).toBeGreaterThan(20);
  expect(held).toBeLessThan(4);
  expect(released).toBeGreaterThan(held);
  expect(released).toBeLessThanOrEqual(8);
});
