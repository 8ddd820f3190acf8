import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, it } from 'vitest';
import { openSqliteStore } from '../store/sqlite.ts';

const directory = mkdtempSync(join(tmpdir(), 'galley-kill-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('keeps every acknowledged commit through kill -9 in the midst of commits, three times over', async () => {
  const path = join(directory, 'galley.sqlite');
  let acknowledged = 0;
  for (let round = 1; round <= 3; round++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'kill-9.child.ts'), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const target = acknowledged + 50;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      // Still committing: the child never stops by itself.
      if (acknowledged === target) child.kill('SIGKILL');
    }
    await exited;
    expect(child.signalCode).toBe('SIGKILL');

    const store = openSqliteStore({ path });
    const { version, resources } = await store.snapshot();
    await store.close();
    expect(acknowledged).toBeGreaterThanOrEqual(target);
    // The last commit may have been made and not been acknowledged any more.
    expect(version).toBeGreaterThanOrEqual(acknowledged);
    expect(version).toBeLessThanOrEqual(acknowledged + 1);
    const names = new Set(resources.map(({ resource }) => resource.key.name));
    expect([...Array(acknowledged).keys()].filter((index) => !names.has(`a${index + 1}`))).toEqual([]);
    acknowledged = version;
  }
});
