import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock.ts';
import { countLines, openRotatingFile, type RotatingFile, type RotatingFileOptions } from './rotating-file.ts';

let root: string;
let path: string;
let clock: FakeClock;
const opened: RotatingFile[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flotilla-log-'));
  path = join(root, 'a.log');
  clock = new FakeClock(Date.parse('2026-03-01T00:00:00Z'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((file) => file.close()));
  rmSync(root, { recursive: true, force: true });
});

function open(options: Partial<RotatingFileOptions> = {}): RotatingFile {
  const file = openRotatingFile({ path, clock, maxBytes: 100, maxFiles: 3, ...options });
  opened.push(file);
  return file;
}
async function write(file: RotatingFile, ...chunks: readonly string[]): Promise<void> {
  for (const chunk of chunks) {
    file.write(chunk);
    await file.flush();
  }
}
const read = (name = 'a.log'): string => readFileSync(join(root, name), 'utf8');
const line = (letter: string): string => `${letter.repeat(39)}\n`;

describe('a rotating file', () => {
  it('goes on in the file that is there, for its owner alone', async () => {
    await write(open(), 'one\n');
    await write(open(), 'two\n');
    expect(read()).toBe('one\ntwo\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('keeps so many files of so many bytes, and no more', async () => {
    await write(open(), ...'abcdefgh'.split('').map(line));
    expect(readdirSync(root).sort()).toEqual(['a.log', 'a.log.1', 'a.log.2']);
    expect([read('a.log.2'), read('a.log.1'), read()]).toEqual(
      ['cd', 'ef', 'gh'].map((letters) => letters.split('').map(line).join('')),
    );
  });

  it('may be a single file', async () => {
    await write(open({ maxFiles: 1 }), line('a'), line('b'), line('c'));
    expect(readdirSync(root)).toEqual(['a.log']);
    expect(read()).toBe(line('c'));
  });

  it('does not cut a line in two, unless it does not end', async () => {
    await write(open(), line('a'), 'b'.repeat(50), `${'c'.repeat(30)}\n`, 'd\n');
    expect([read('a.log.1'), read()]).toEqual([`${line('a')}${'b'.repeat(50)}${'c'.repeat(30)}\n`, 'd\n']);
    await write(open(), 'e'.repeat(40_000), 'e'.repeat(40_000));
    expect(statSync(path).size).toBeLessThan(70_000);
  });

  it('loses what a full disk does not take, counts it, and says so when there is room again', async () => {
    symlinkSync('/dev/full', path);
    const lost: unknown[] = [];
    const file = open({ onLost: (...loss) => lost.push(loss) });
    await write(file, 'one\ntwo\n', 'three');
    expect(lost).toEqual([
      [2, 'the disk is full'],
      [1, 'the disk is full'],
    ]);
    rmSync(path);
    clock.advance(60_000);
    await write(file, 'four\n', 'five\n');
    expect(read()).toBe(
      '(3 lines of this log are missing, since 2026-03-01T00:00:00.000Z: the disk is full)\nfour\nfive\n',
    );
    expect(file.lostLines).toBe(3);
  });

  it('goes on under its name after it was removed or moved away', async () => {
    const file = open();
    await write(file, 'one\n');
    renameSync(path, join(root, 'moved'));
    clock.advance(1_000);
    await write(file, 'two\n');
    expect([read('moved'), read()]).toEqual(['one\n', 'two\n']);
  });

  it('does not make a directory anew that was removed, and goes on when it is back', async () => {
    const folder = join(root, 'logs');
    mkdirSync(folder);
    const file = open({ path: join(folder, 'a.log') });
    await write(file, 'one\n');
    rmSync(folder, { recursive: true });
    clock.advance(1_000);
    await write(file, 'two\n');
    expect(existsSync(folder)).toBe(false);
    mkdirSync(folder);
    await write(file, 'three\n');
    expect(read('logs/a.log')).toMatch(/^\(1 lines of this log are missing, .*: it does not exist\)\nthree\n$/);
  });

  it('holds no more than it may for a disk that is slow', async () => {
    const file = open({ maxBufferedBytes: 10 });
    file.write('12345678\n');
    file.write('lost\nlost\n');
    expect(file.lostLines).toBe(2);
    await file.flush();
    await write(file, 'x\n');
    expect(read()).toMatch(/^\(2 lines .*: the disk is too slow\)\n12345678\nx\n$/);
  });
});

it.each([
  ['', 0],
  ['a', 1],
  ['a\n', 1],
  ['a\n\nb', 3],
])('countLines(%j) is %i', (text, lines) => {
  expect(countLines(Buffer.from(text))).toBe(lines);
});
