import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { FakeClock } from '@flotilla/runtime';
import { describe, expect, it, vi } from 'vitest';
import { createLogger } from './logger.ts';

function sink(): { stream: Writable; text(): string } {
  let written = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  return { stream, text: () => written };
}

describe('logger', () => {
  it('writes one JSON object a line, with fields of the child and of the call', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'json', level: 'info', destination: stream });
    logger.child({ proxy: 'reviews-v1' }).warn('refused', { error: new Error('no such cluster') });
    const record: unknown = JSON.parse(text());
    expect(record).toMatchObject({
      level: 'warn',
      name: 'pilot',
      proxy: 'reviews-v1',
      msg: 'refused',
      error: { message: 'no such cluster' },
    });
  });

  it('leaves out what is below its level', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'json', level: 'warn', destination: stream });
    logger.info('not this');
    expect(text()).toBe('');
    expect(logger.isDebug()).toBe(false);
  });

  it('writes for a person when asked to', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'pretty', level: 'info', destination: stream });
    logger.info('listening', { port: 15010 });
    expect(text()).toContain('pilot: listening');
    expect(text()).toContain('15010');
  });

  it('lets nothing that others chose steer the terminal of a person', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'pretty', level: 'info', destination: stream });
    const chosen = 'a\u001b[2Jb\u009b2J\u007f\nERROR forged naïve';
    logger.warn(chosen, { proxy: chosen, more: { labels: [chosen] }, error: new Error(chosen) });
    const lines = text().replace(/^\s+at .*$/gm, '');
    expect(lines.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(lines).not.toMatch(/\u009b/);
    expect(lines.split('\n')[0]).toContain('a\\u001b[2Jb\\u009b2J\\u007f\\nERROR forged naïve');
  });

  it('loses lines that its destination does not take, counts them, and says so when it takes them again', async () => {
    let text = '';
    let fault: Error | null = Object.assign(new Error('write'), { code: 'ENOSPC' });
    // As standard error is: usable after a failed write.
    const stream = {
      on: () => undefined,
      write(chunk: Buffer, done: (error: Error | null) => void) {
        if (fault === null) text += chunk.toString();
        done(fault);
      },
    };
    const destination = stream as unknown as NodeJS.WritableStream; // All that is used of one.
    let lost = 0;
    const onLost = (lines: number): void => void (lost += lines);
    const clock = new FakeClock(Date.parse('2026-03-01T00:00:00Z'));
    const logger = await createLogger({ name: 'galley', format: 'json', level: 'info', destination, onLost, clock });
    logger.info('one');
    logger.info('two');
    expect([text, lost]).toEqual(['', 2]);
    fault = null;
    logger.info('three');
    const records = text
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(records).toEqual([
      expect.objectContaining({ msg: 'three' }),
      expect.objectContaining({ lost: 2, since: '2026-03-01T00:00:00.000Z', why: 'the disk is full' }),
    ]);
  });

  it('holds a bounded number of lines for a reader that has stopped', async () => {
    const destination = new Writable({ write: () => undefined });
    let lost = 0;
    const onLost = (lines: number): void => void (lost += lines);
    const logger = await createLogger({ name: 'galley', format: 'json', level: 'info', destination, onLost });
    for (let at = 0; at < 3_000; at++) logger.info('x'.repeat(1_000));
    expect(lost).toBeGreaterThan(1_000);
    expect(destination.writableLength).toBeLessThan(2 << 20);
  });

  it('writes to a file that rotates', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-logger-'));
    const file = { path: join(directory, 'a.log'), maxBytes: 64 * 1024, maxFiles: 2 };
    const logger = await createLogger({ name: 'galley', format: 'json', level: 'info', file });
    for (let at = 0; at < 300; at++) logger.info('x'.repeat(1_000));
    await vi.waitFor(() => expect(readdirSync(directory).sort()).toEqual(['a.log', 'a.log.1']));
    rmSync(directory, { recursive: true });
  });
});
