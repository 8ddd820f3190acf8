import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { watchMeshConfig } from './watch-mesh-config.ts';

function start() {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-mesh-config-'));
  const file = join(folder, 'mesh.yaml');
  writeFileSync(file, 'accessLogFile: /dev/stdout\n');
  const clock = new FakeClock();
  const read: string[] = [];
  const warnings: string[] = [];
  const close = watchMeshConfig({
    file,
    clock,
    logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    onRead: ({ accessLogFile }) => void read.push(accessLogFile),
  });
  onTestFinished(() => {
    close();
    rmSync(folder, { recursive: true });
  });
  /** Lets it look once more, and waits until it is about to do so again. */
  const look = async () => {
    await vi.waitUntil(() => clock.pendingCount > 0);
    clock.advance(5_000);
    await vi.waitUntil(() => clock.pendingCount > 0);
  };
  return { file, read, warnings, look };
}

test('what is written into the file is taken within seconds', async () => {
  const { file, read, look } = start();
  await look();
  writeFileSync(file, 'accessLogFile: /other\n');
  await look();
  expect(read).toEqual(['/dev/stdout', '/other']);
});

test('what cannot be used is said once, and changes nothing', async () => {
  const { file, read, warnings, look } = start();
  writeFileSync(file, 'accessLogFile: [1]\n');
  await look();
  await look();
  writeFileSync(file, 'accessLogFile: /again\n');
  await look();
  expect({ read, warnings: warnings.length }).toEqual({ read: ['/again'], warnings: 1 });
});
