import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@flotilla/observe';
import { FakeClock, systemClock } from '@flotilla/runtime';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startEnvoyProcess } from './envoy-process.ts';

let folder: string;
let program: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  program = join(folder, 'envoy');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes a program that notes its pid, then does what the script says. */
async function fakeEnvoy(script: string): Promise<void> {
  await writeFile(program, `#!/bin/sh\necho $$ >> ${folder}/pids\n${script}\n`);
  await chmod(program, 0o755);
}

async function pids(): Promise<number[]> {
  const text = await readFile(join(folder, 'pids'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Where nobody answers. */
const adminPath = '/nowhere/admin.sock';
const tools = { adminPath, clock: systemClock, random: () => 0, logger: silentLogger };

it('says clearly that there is no such program', async () => {
  await expect(
    startEnvoyProcess({ program: '/nowhere/envoy', args: [], directory: folder, ...tools }),
  ).rejects.toMatchObject({ code: 'system', message: 'cannot run Envoy at /nowhere/envoy' });
});

it('ends it when closed', async () => {
  await fakeEnvoy('exec sleep 60');
  const running = await startEnvoyProcess({ program, args: [], directory: folder, ...tools });
  await vi.waitFor(async () => expect(await pids()).toHaveLength(1));
  const [pid = 0] = await pids();
  await running.close();
  expect(isAlive(pid)).toBe(false);
});

it('lets it end when it was asked to quit', async () => {
  await fakeEnvoy('exit 0');
  const running = await startEnvoyProcess({ program, args: [], directory: folder, ...tools });
  await running.quit;
  expect(await pids()).toHaveLength(1);
  await running.close();
});

it('starts it again when it ends by itself, in the same directory', async () => {
  await fakeEnvoy('exit 3');
  const running = await startEnvoyProcess({ program, args: [], directory: folder, ...tools });
  await vi.waitFor(async () => expect((await pids()).length).toBeGreaterThan(2));
  await running.close();
  expect(existsSync(program)).toBe(true);
});

it('kills one that lives but does not answer, also when it is stopped', async () => {
  await fakeEnvoy('exec sleep 60');
  const clock = new FakeClock();
  const running = await startEnvoyProcess({ program, args: [], directory: folder, ...tools, clock });
  await vi.waitFor(async () => expect(await pids()).toHaveLength(1));
  const [pid = 0] = await pids();
  process.kill(pid, 'SIGSTOP');
  await vi.waitFor(
    async () => {
      clock.advance(3_000);
      expect((await pids()).length).toBeGreaterThan(1);
    },
    { timeout: 10_000 },
  );
  expect(isAlive(pid)).toBe(false);
  expect(existsSync(program)).toBe(true);
  const ending = running.close();
  clock.advance(60_000);
  await ending;
});

it('ends it, and leaves no directory, when its supervisor is killed', async () => {
  await fakeEnvoy('exec sleep 60');
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  const supervisor = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { startEnvoyProcess } from ${JSON.stringify(new URL('./envoy-process.ts', import.meta.url).href)};
     import { systemClock } from '@flotilla/runtime';
     import { silentLogger } from '@flotilla/observe';
     await startEnvoyProcess({ program: ${JSON.stringify(program)}, args: [], directory: ${JSON.stringify(directory)},
       adminPath: ${JSON.stringify(adminPath)}, clock: systemClock, random: Math.random, logger: silentLogger });`,
    ],
    { cwd: import.meta.dirname },
  );
  await vi.waitFor(async () => expect(await pids()).toHaveLength(1), { timeout: 10_000 });
  const [pid = 0] = await pids();
  supervisor.kill('SIGKILL');
  await vi.waitFor(() => expect([isAlive(pid), existsSync(directory)]).toEqual([false, false]), { timeout: 5_000 });
});
