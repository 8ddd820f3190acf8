import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertPrivateFolder, parseSecretMode, readSecretFile } from './secret-file.ts';

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flotilla-secret-'));
  path = join(root, 'token');
  writeFileSync(path, 's3cret');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const modes = (file: number, folder: number): void => {
  chmodSync(path, file);
  chmodSync(root, folder);
};

describe('a file with a secret', () => {
  it.each([
    ['its own', 0o600, 0o755],
    ['read-only', 0o400, 0o755],
    ["its own in a folder that is everybody's", 0o600, 0o1777],
    ['wide in a folder that is closed', 0o644, 0o700],
  ])('is read when it is %s', (_, file, folder) => {
    modes(file, folder);
    expect(readSecretFile(path)).toBe('s3cret');
  });

  it.each([
    ['others can read it', 0o644, 0o755, /token can be read by others \(mode 0644\)/, /chmod 600 .*token$/],
    ['its group can read it', 0o640, 0o750, /token can be read by others \(mode 0640\)/, /chmod 600 .*token$/],
    ['others can replace it', 0o600, 0o777, /flotilla-secret-\w+ can be changed by others \(mode 0777\)/, /chmod 700/],
  ])('is refused when %s', (_, file, folder, message, hint) => {
    modes(file, folder);
    expect(() => readSecretFile(path)).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      }),
    );
  });

  it('may be as wide as a platform makes it, and no wider', () => {
    modes(0o440, 0o777);
    expect(readSecretFile(path, { widestMode: 0o440 })).toBe('s3cret');
    chmodSync(path, 0o444);
    expect(() => readSecretFile(path, { widestMode: 0o440 })).toThrow(/can be read by others \(mode 0444\)/);
  });

  it('is judged by what a link leads to', () => {
    modes(0o644, 0o755);
    const closed = join(root, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    symlinkSync(path, join(closed, 'token'));
    expect(() => readSecretFile(join(closed, 'token'))).toThrow(/can be read by others/);
  });

  it('that is missing is an error of the system', () => {
    expect(() => readSecretFile(join(root, 'none'))).toThrow(expect.objectContaining({ code: 'system' }));
  });
});

describe('a folder with secrets', () => {
  it.each([0o755, 0o777, 0o710])('is refused with mode %o', (mode) => {
    chmodSync(root, mode);
    expect(() => assertPrivateFolder(root)).toThrow(/by others \(mode 07/);
  });
});

describe('a mode', () => {
  it('is written as for chmod, and lets nobody else write', () => {
    expect([parseSecretMode('0440'), parseSecretMode('600')]).toEqual([0o440, 0o600]);
    for (const text of ['0666', 'rw', '99', ''])
      expect(() => parseSecretMode(text)).toThrow(/0600, 0440|not a mode|lets/);
  });
});
