import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findContext, liveContexts, publishContext } from './context.ts';

const context = { name: 'shop', api: 'http://127.0.0.1:1', adminToken: 's3cret', pid: process.pid, startedAtMs: 1 };
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'flotilla-home-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const folder = (): string => join(home, 'contexts');
const file = (): string => join(folder(), `${process.pid}.json`);

describe('the context of a running mesh', () => {
  it('is kept for its user alone, found again, and forgotten', () => {
    const forget = publishContext(context, home);
    expect([statSync(folder()).mode & 0o777, statSync(file()).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(findContext(undefined, home)).toEqual(context);
    forget();
    expect(liveContexts(home)).toEqual([]);
  });

  it.each([
    ['its folder can be entered by others', folder, 0o755, /contexts can be entered by others .*0755/],
    ['it can be read by others', file, 0o644, /json can be read by others .*0644/],
  ])('is not used when %s', (_, path, mode, message) => {
    publishContext(context, home);
    chmodSync(path(), mode);
    expect(() => findContext(undefined, home)).toThrow(message);
  });

  it('is not written where others can read it', () => {
    publishContext(context, home)();
    chmodSync(folder(), 0o755);
    expect(() => publishContext(context, home)).toThrow(/cannot write .* can be entered by others/);
  });
});
