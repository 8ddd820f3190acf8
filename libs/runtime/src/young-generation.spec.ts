import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Size in bytes of the young generation after work that would make it grow. */
function sizeAfterWork(lines: readonly string[]): number {
  const file = join(import.meta.dirname, 'young-generation.ts');
  const program = [
    `import { holdYoungGeneration, releaseYoungGeneration } from ${JSON.stringify(file)};`,
    `import { getHeapSpaceStatistics } from 'node:v8';`,
    'const work = () => { let kept = []; for (let i = 0; i < 3e6; i++) { kept.push({ i }); if (kept.length > 1e5) kept = []; } };',
    ...lines,
    `console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);`,
  ];
  return Number(
    execFileSync(process.execPath, ['--input-type=module', '-e', program.join('\n')], { encoding: 'utf8' }),
  );
}

test('the young generation grows only when it is let', () => {
  const held = sizeAfterWork(['holdYoungGeneration();', 'work();']);
  const released = sizeAfterWork(['holdYoungGeneration();', 'work();', 'releaseYoungGeneration();', 'work();']);
  const never = sizeAfterWork(['work();']);
  expect(held * 4).toBeLessThan(never);
  expect(held * 4).toBeLessThan(released);
});
