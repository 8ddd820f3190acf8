import { TEST_SURROUNDINGS } from '@flotilla/format/testing';
import { PassThrough, Writable } from 'node:stream';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { AccessLogFilterSchema, AccessLogSchema } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import { describe, expect, it } from 'vitest';
import { compileAccessLogs } from './compile-access-logs.ts';
import { type LogWritersOptions, openLogWriters } from './log-writer.ts';
import { StatsRegistry } from '../base/stats.ts';
import { StreamInfo } from '@flotilla/stream';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';

const NO_SERVICES = { compile: () => null };

function fileLog(json: JsonObject) {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.file',
    configType: { case: 'typedConfig', value: anyPack(FileAccessLogSchema, fromJson(FileAccessLogSchema, json)) },
  });
}

function stream(): StreamInfo {
  const info = new StreamInfo(PLAIN_CONNECTION, 0, 0);
  info.responseCode = 200;
  return info;
}

function writers(standardOutput: NodeJS.WritableStream, extra: Partial<LogWritersOptions> = {}) {
  const stats = new StatsRegistry();
  const clock = new FakeClock();
  return { stats, clock, writers: openLogWriters({ clock, logger: silentLogger, stats, standardOutput, ...extra }) };
}

async function line(json: JsonObject): Promise<string> {
  const output = new PassThrough();
  const { writers: opened } = writers(output);
  for (const log of compileAccessLogs(
    [fileLog({ path: '/dev/stdout', ...json })],
    { writers: opened, services: NO_SERVICES, surroundings: TEST_SURROUNDINGS },
    Math.random,
  ))
    log(stream());
  await opened.close();
  return String(output.read());
}

describe('access logs', () => {
  it.each([
    ['text', { log_format: { text_format_source: { inline_string: '%RESPONSE_CODE% %UPSTREAM_HOST%\n' } } }, '200 -\n'],
    [
      'JSON with types and nesting',
      { log_format: { json_format: { code: '%RESPONSE_CODE%', host: '%UPSTREAM_HOST%', in: { a: 'x%PROTOCOL%' } } } },
      '{"code":200,"host":null,"in":{"a":"x-"}}\n',
    ],
    [
      'JSON without empty values',
      { log_format: { json_format: { host: '%UPSTREAM_HOST%' }, omit_empty_values: true } },
      '{}\n',
    ],
    ["Envoy's default", {}, '[1970-01-01T00:00:00.000Z] "- - -" 200 - 0 0 - - "-" "-" "-" "-" "-"\n'],
  ])('%s', async (_name, json, expected) => {
    expect(await line(json as JsonObject)).toBe(expected); // rows are JSON literals
  });

  it('refuses what it cannot honour', () => {
    const { writers: opened } = writers(new PassThrough());
    expect(() =>
      compileAccessLogs(
        [{ ...fileLog({ path: 'x' }), filter: create(AccessLogFilterSchema) }],
        { writers: opened, services: NO_SERVICES, surroundings: TEST_SURROUNDINGS },
        Math.random,
      ),
    ).toThrow('access_log[0]: filter');
    expect(() =>
      compileAccessLogs(
        [fileLog({ path: 'x', log_format: { text_format: '%NOPE%' } })],
        { writers: opened, services: NO_SERVICES, surroundings: TEST_SURROUNDINGS },
        Math.random,
      ),
    ).toThrow('access_log[0]: unknown command operator %NOPE%');
  });

  it('appends to a file, gathered lines first', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-log-'));
    const { writers: opened, clock } = writers(new PassThrough());
    const writer = opened.open(join(directory, 'access.log'));
    writer.write('one\n');
    clock.advance(100);
    writer.write('two\n');
    await opened.close();
    expect(await readFile(join(directory, 'access.log'), 'utf8')).toBe('one\ntwo\n');
    await rm(directory, { recursive: true });
  });

  it('drops and counts lines while the disk is slow, and never waits for it', async () => {
    const release: (() => void)[] = [];
    const slow = new Writable({ write: (_chunk, _encoding, done) => void release.push(done) });
    const { writers: opened, stats } = writers(slow, { maxBufferedBytes: 10 });
    const writer = opened.open('/dev/stdout');
    writer.write('12345678\n');
    const flushed = writer.flush();
    writer.write('lost\n');
    expect(stats.counter('filesystem.write_failed').value).toBe(1);
    release[0]?.();
    await flushed;
    writer.write('fits\n');
    expect(stats.counter('filesystem.write_failed').value).toBe(1);
  });

  it('counts the lines that a full disk does not take, and goes on when there is room', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-log-'));
    const path = join(directory, 'access.log');
    await symlink('/dev/full', path);
    const said: unknown[] = [];
    const logger = { ...silentLogger, warn: (...words: unknown[]) => void said.push(words) };
    const { writers: opened, stats } = writers(new PassThrough(), { logger });
    const writer = opened.open(path);
    writer.write('one\n');
    writer.write('two\n');
    await writer.flush();
    writer.write('three\n');
    await writer.flush();
    expect(stats.counter('filesystem.write_failed').value).toBe(3);
    await rm(path);
    writer.write('four\n');
    await opened.close();
    expect(await readFile(path, 'utf8')).toMatch(/^\(3 lines of this log are missing, .*: the disk is full\)\nfour\n$/);
    expect(said).toEqual([
      ['access log lines are lost', { path, why: 'the disk is full' }],
      ['access log lines were lost, and are written again', { path, lost: 3 }],
    ]);
    await rm(directory, { recursive: true });
  });

  it('rotates its files', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-log-'));
    const { writers: opened } = writers(new PassThrough(), { bounds: { maxBytes: 10, maxFiles: 2 } });
    const writer = opened.open(join(directory, 'access.log'));
    for (const word of ['first\n', 'second\n', 'third\n']) {
      writer.write(word);
      await writer.flush();
    }
    await opened.close();
    expect((await readdir(directory)).sort()).toEqual(['access.log', 'access.log.1']);
    expect(await readFile(join(directory, 'access.log'), 'utf8')).toBe('third\n');
    await rm(directory, { recursive: true });
  });
});
