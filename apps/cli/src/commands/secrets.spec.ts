import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { secrets } from './secrets.ts';

let out: string;
beforeEach(() => {
  out = join(mkdtempSync(join(tmpdir(), 'flotilla-secrets-')), 'made');
  vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(join(out, '..'), { recursive: true });
});

const make = (mode = '0600') => secrets({ out, trustDomain: 'cluster.local', ttl: '1h', mode });
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const everything = (): readonly string[] => readdirSync(out, { recursive: true, encoding: 'utf8' });

describe('the files of a new mesh', () => {
  it.each([
    ['0600', '600'],
    ['0644', '644'],
  ])('are made with the mode %s, in folders that are closed to others', async (mode, expected) => {
    await make(mode);
    const made = Object.fromEntries(everything().map((name) => [name, modeOf(join(out, name))]));
    expect(made).toMatchObject({ 'root-key.pem': expected, 'admin-token': expected, tokens: '700' });
    expect(new Set(Object.values(made))).toEqual(new Set([expected, '700']));
    expect(modeOf(out)).toBe('700');
  });

  it('are not added to a directory that others can enter', async () => {
    await make();
    chmodSync(out, 0o755);
    const before = everything();
    await expect(make()).rejects.toMatchObject({
      message: expect.stringMatching(/made can be entered by others \(mode 0755\)/),
      hint: expect.stringMatching(/chmod 700 .*made$/),
    });
    expect(everything()).toEqual(before);
  });

  it.each(['0666', 'rw', ''])('are not made with the mode "%s"', async (mode) => {
    await expect(make(mode)).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(/^--mode: /) });
  });
});
