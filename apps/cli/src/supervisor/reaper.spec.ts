import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openReaper } from './reaper.ts';

async function startSleeper(): Promise<{ pid: number; ended: Promise<unknown> }> {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  await once(child, 'spawn');
  return { pid: child.pid ?? -1, ended: once(child, 'exit') };
}

describe('reaper', () => {
  it('ends every group that it watches when its pipe closes, and none that was forgotten', async () => {
    const reaper = openReaper();
    const [watched, forgotten, other] = await Promise.all([startSleeper(), startSleeper(), startSleeper()]);
    reaper.watch(watched.pid);
    reaper.watch(forgotten.pid);
    reaper.watch(other.pid);
    reaper.forget(forgotten.pid);
    await reaper.close();
    await Promise.all([watched.ended, other.ended]);
    expect(process.kill(forgotten.pid, 0)).toBe(true);
    process.kill(forgotten.pid, 'SIGKILL');
    await forgotten.ended;
  });

  it('removes the directory that it was given, when the groups are gone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla reaper '));
    writeFileSync(join(directory, 'key'), 'secret');
    const reaper = openReaper();
    reaper.removeAtEnd(directory);
    await reaper.close();
    expect(existsSync(directory)).toBe(false);
  });

  it('does so too when the process that owns it is killed', async () => {
    const source = `
      import { openReaper } from ${JSON.stringify(new URL('./reaper.ts', import.meta.url).href)};
      import { spawn } from 'node:child_process';
      const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
      child.once('spawn', () => { openReaper().watch(child.pid); console.log(child.pid); });
    `;
    const owner = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    owner.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
