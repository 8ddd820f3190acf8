import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openFileTokenStore, TOKEN_FILE } from './file-store.ts';
import type { TokenRecord } from './token-record.ts';
import { tokenStoreSuite } from './token-store.suite.ts';

const scratch = mkdtempSync(join(tmpdir(), 'flotilla-tokens-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let directory: string;
function freshDirectory(): string {
  directory = mkdtempSync(join(scratch, 'd-'));
  writeFileSync(join(directory, TOKEN_FILE), '');
  return directory;
}
beforeEach(freshDirectory);
const path = () => join(directory, TOKEN_FILE);

const record = (id: string, more: Partial<TokenRecord> = {}): TokenRecord => ({
  ...{ id, spiffeId: 'a', workload: '', uses: 1, keys: [], used: 0, createdAtMs: 0, expiresAtMs: 0 },
  ...{ lastUsedAtMs: null, revokedAtMs: null, keepUntilMs: 0 },
  ...more,
});

tokenStoreSuite('a file', async () => {
  const own = freshDirectory();
  // A crash leaves the file as it is, which every change has reached by then.
  return { store: openFileTokenStore(own), reopen: async () => openFileTokenStore(own) };
});

describe('the file of tokens', () => {
  it('loses a line that was torn, and no other', async () => {
    const store = openFileTokenStore(directory);
    await store.replace(null, record('a'));
    await store.close();
    appendFileSync(path(), '{"id":"b","spiff');
    const again = openFileTokenStore(directory);
    await again.replace(null, record('c'));
    await again.close();
    expect((await openFileTokenStore(directory).all()).map(({ id }) => id)).toEqual(['a', 'c']);
  });

  it('is refused when it is missing or damaged: used tokens would be good again', async () => {
    writeFileSync(path(), 'x\n');
    expect(() => openFileTokenStore(directory)).toThrow(/tokens\.jsonl:1 is damaged/);
    rmSync(path());
    expect(() => openFileTokenStore(directory)).toThrow(/is missing, and with it which bootstrap tokens were used/);
  });

  it('that is removed under its process acknowledges nothing', async () => {
    const store = openFileTokenStore(directory);
    rmSync(path());
    await expect(store.replace(null, record('a'))).rejects.toThrow(/the file was removed/);
    expect(await store.get('a')).toBeNull();
  });

  it('stays small however often it is changed', async () => {
    const store = openFileTokenStore(directory);
    let last: TokenRecord | null = null;
    for (let used = 0; used < 1_500; used++) {
      const next = record('a', { used });
      await store.replace(last, next);
      last = next;
    }
    expect(statSync(path()).size).toBeLessThan(200_000);
    expect(readFileSync(path(), 'utf8').split('\n').length).toBeLessThan(1_100);
    expect(await openFileTokenStore(directory).get('a')).toEqual(last);
  });

  it('has whatever was acknowledged before a kill -9', async () => {
    const script = `
      import { openFileTokenStore } from ${JSON.stringify(join(import.meta.dirname, 'file-store.ts'))};
      const store = openFileTokenStore(process.argv[1]);
      const record = ${JSON.stringify(record('x'))};
      for (let i = 0; ; i += 1) {
        await store.replace(null, { ...record, id: 'token-' + i });
        process.stdout.write(i + '\\n');
      }
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.length > 100) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acknowledged = said.split('\n').slice(0, -1).length;
    expect(acknowledged).toBeGreaterThan(10);
    expect((await openFileTokenStore(directory).all()).length).toBeGreaterThanOrEqual(acknowledged);
  });
});
