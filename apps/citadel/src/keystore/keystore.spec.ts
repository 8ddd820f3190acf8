import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '@flotilla/runtime';
import { type Inventory, openInventory } from '@flotilla/runtime/disk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKeys } from './key-source.ts';
import { openRoot } from './root.ts';
import { createSealedDirectory } from './sealed-directory.ts';
import { openTokenKey } from './token-key.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'flotilla-keystore-'));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});
const clock = new FakeClock(Date.parse('2026-03-01T00:00:00Z'));
const inventory = (beginAnew: readonly string[] = []): Inventory => openInventory({ places: [dataDir], beginAnew });
const open = (trustDomain = 'cluster.local') => openRoot(dataDir, trustDomain, clock, inventory());
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('the root', () => {
  it('is made at the first start, readable by its owner only, and kept', async () => {
    dataDir = join(dataDir, 'new', 'data');
    const first = await open();
    expect([mode(dataDir), mode(join(dataDir, 'root'))]).toEqual(['700', '700']);
    for (const file of readdirSync(join(dataDir, 'root'))) expect(mode(join(dataDir, 'root', file))).toBe('600');
    expect((await open()).certificatePem).toBe(first.certificatePem);
    expect(first.certificate.subjectAltName).toBe('URI:spiffe://cluster.local');
    expect(first.certificate.validToDate.getUTCFullYear()).toBe(2036);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'a key that others can read',
      () => chmodSync(join(dataDir, 'root/key.pem'), 0o640),
      /key.pem can be read by others \(mode 0640\)/,
    ],
    [
      'a directory that others can write',
      () => chmodSync(join(dataDir, 'root'), 0o777),
      /root can be changed by others/,
    ],
    [
      'a directory that others can enter',
      () => chmodSync(join(dataDir, 'root'), 0o755),
      /root can be entered by others \(mode 0755\)/,
    ],
    [
      'a data directory that others can write',
      () => chmodSync(dataDir, 0o770),
      /can be changed by others \(mode 0770\)/,
    ],
    [
      'a damaged key',
      () => writeFileSync(join(dataDir, 'root/key.pem'), 'x'),
      /key.pem is damaged: it holds no private key/,
    ],
    [
      'a damaged certificate',
      () => writeFileSync(join(dataDir, 'root/cert.pem'), 'x'),
      /cert.pem is damaged: it holds no certificate/,
    ],
    [
      'the key of another root',
      () => {
        openTokenKey(dataDir, inventory());
        copyFileSync(join(dataDir, 'token/key.pem'), join(dataDir, 'root/key.pem'));
      },
      /cert.pem does not belong to the key/,
    ],
    ['a missing certificate', () => rmSync(join(dataDir, 'root/cert.pem')), /the key store cannot be used: .*cert.pem/],
  ])('refuses %s', async (_, damage, message) => {
    await open();
    damage();
    await expect(open()).rejects.toThrow(message);
    // Nothing was replaced: an operator can still repair it.
    await expect(open()).rejects.toThrow(message);
  });

  it.each([
    [
      'removed',
      () => rmSync(join(dataDir, 'root'), { recursive: true }),
      /root had the root .*, and there is none now/,
    ],
    [
      'put in the place of another',
      () => {
        rmSync(join(dataDir, 'root'), { recursive: true });
        renameSync(join(dataDir, 'other/root'), join(dataDir, 'root'));
      },
      /what is there now is another one/,
    ],
  ])('refuses to begin anew after the root was %s, unless that is meant', async (_, harm, message) => {
    const { certificate } = await open();
    const other = join(dataDir, 'other');
    await openRoot(other, 'cluster.local', clock, openInventory({ places: [other] }));
    harm();
    await expect(open()).rejects.toThrow(message);
    const identity = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    const anew = await openRoot(dataDir, 'cluster.local', clock, inventory([`root:${identity}`]));
    expect(anew.certificatePem).not.toBe(certificate.toString());
    expect((await open()).certificatePem).toBe(anew.certificatePem);
  });

  it('refuses to begin anew after the key of tokens was removed', () => {
    openTokenKey(dataDir, inventory());
    rmSync(join(dataDir, 'token'), { recursive: true });
    expect(() => openTokenKey(dataDir, inventory())).toThrow(/token had the token key .*, and there is none now/);
  });

  it('refuses another trust domain, and a root that has expired', async () => {
    await open();
    await expect(open('other.example')).rejects.toThrow(
      /is the root of "spiffe:\/\/cluster.local", but the trust domain is "other.example"/,
    );
    const later = new FakeClock(Date.parse('2036-03-02T00:00:00Z'));
    await expect(openRoot(dataDir, 'cluster.local', later, inventory())).rejects.toThrow(/expired on/);
  });

  it('says which directory cannot be written', async () => {
    writeFileSync(join(dataDir, 'file'), '');
    dataDir = join(dataDir, 'file', 'data');
    await expect(openKeys({ directory: dataDir }, 'cluster.local', clock)).rejects.toMatchObject({
      code: 'system',
      message: expect.stringContaining(dataDir) as string,
    });
    rmSync(join(dataDir, '..'));
  });
});

describe('a sealed directory', () => {
  it('stays as the faster of two processes made it', () => {
    const directory = join(dataDir, 'root');
    createSealedDirectory(directory, { 'a.pem': 'first' });
    createSealedDirectory(directory, { 'a.pem': 'second' });
    expect(readdirSync(dataDir)).toEqual(['root']);
  });

  it('clears away what a killed process left, and nothing of a live one', () => {
    const [dead, live] = [join(dataDir, 'root.new-999999999-aa'), join(dataDir, `root.new-${process.pid}-bb`)];
    for (const leftover of [dead, live]) mkdirSync(leftover);
    createSealedDirectory(join(dataDir, 'root'), { 'a.pem': 'x' });
    expect([existsSync(dead), existsSync(live)]).toEqual([false, true]);
  });

  it('is whole or absent whenever its maker is killed', async () => {
    const script = `
      import { createSealedDirectory } from ${JSON.stringify(join(import.meta.dirname, 'sealed-directory.ts'))};
      process.stdout.write('.');
      for (let i = 0; ; i += 1) createSealedDirectory(process.argv[1] + '/' + i, { a: 'x'.repeat(1000), b: 'y'.repeat(1000) });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    while (!existsSync(join(dataDir, '5'))) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await once(child, 'close');
    const made = readdirSync(dataDir).filter((name) => !name.includes('.new-'));
    expect(made.length).toBeGreaterThan(5);
    for (const name of made) {
      for (const file of ['a', 'b']) expect(statSync(join(dataDir, name, file)).size).toBe(1000);
    }
  });
});
