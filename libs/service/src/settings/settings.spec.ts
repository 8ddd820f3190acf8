import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import * as settings from './index.ts';
import { readSettings, settingsHelp, settingsMarkdown, withoutSettings } from './index.ts';

const table = {
  listen: settings.address({ description: 'where to listen', standard: '0.0.0.0:9901' }),
  maxTtl: settings.duration({ description: 'longest lifetime', standard: '24h' }),
  peer: settings.url({ description: 'whom to ask' }),
  directory: settings.list(settings.path({ description: 'what to watch', form: 'directory' })),
  workers: settings.integer({ description: 'how many', standard: '1', min: 1, max: 64 }),
  xds: settings.optional(settings.address({ description: 'plaintext port' })),
  quiet: settings.flag({ description: 'say less' }),
  mode: settings.oneOf(['fast', 'slow'], { description: 'how', standard: 'fast' }),
  passwordFile: settings.optional(settings.secretFile({ description: 'password' })),
};

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function fileWith(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-settings-'));
  directories.push(directory);
  writeFileSync(join(directory, 'secret'), content);
  return join(directory, 'secret');
}

function faultsOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  try {
    readSettings(table, argv, env);
  } catch (error) {
    return String(error);
  }
  return 'none';
}

describe('settings', () => {
  it('are standards where nothing is given', () => {
    expect(readSettings(table, ['--peer', 'https://galley:9901'], {})).toEqual({
      listen: { host: '0.0.0.0', port: 9901 },
      maxTtl: 86_400_000,
      peer: 'https://galley:9901',
      directory: [],
      workers: 1,
      xds: null,
      quiet: false,
      mode: 'fast',
      passwordFile: null,
    });
  });

  it('come from the environment, and a flag wins over it', () => {
    const env = {
      FLOTILLA_PEER: 'https://a:1',
      FLOTILLA_MAX_TTL: '1h',
      FLOTILLA_DIRECTORY: '/a, /b',
      FLOTILLA_QUIET: 'true',
      FLOTILLA_MODE: '',
    };
    expect(readSettings(table, ['--max-ttl=30m', '--xds', ':15010'], env)).toMatchObject({
      peer: 'https://a:1',
      maxTtl: 1_800_000,
      directory: ['/a', '/b'],
      quiet: true,
      xds: { host: '127.0.0.1', port: 15_010 },
      mode: 'fast',
    });
  });

  it('do not reach a program that is told everything by options', () => {
    const env = { FLOTILLA_MAX_TTL: '1h', FLOTILLA_PEER: 'https://a:1', PATH: '/bin' };
    expect(withoutSettings(env)).toEqual({ PATH: '/bin' });
  });

  it('repeat where a list is taken', () => {
    const argv = ['--peer', 'https://a:1', '--directory', '/a', '--directory', '/b,c'];
    expect(readSettings(table, argv, { FLOTILLA_DIRECTORY: '/x' }).directory).toEqual(['/a', '/b,c']);
  });

  it('read a secret without the white space around it', () => {
    const file = fileWith('s3cret\n');
    expect(readSettings(table, ['--peer', 'https://a:1', '--password-file', file], {}).passwordFile).toBe('s3cret');
  });

  it('refuse a secret that others can read, unless its mode is said to be right', () => {
    const file = fileWith('s3cret');
    chmodSync(file, 0o440);
    chmodSync(dirname(file), 0o755);
    const withMode = { ...table, secretMode: settings.secretModeSetting };
    const argv = ['--peer', 'https://a:1', '--password-file', file];
    expect(() => readSettings(withMode, argv, {})).toThrow(/--password-file: .*can be read by others \(mode 0440\)/);
    expect(readSettings(withMode, argv, { FLOTILLA_SECRET_MODE: '0440' }).passwordFile).toBe('s3cret');
  });

  it('are refused with every fault at once, each by the name it was given by', () => {
    const faults = faultsOf(['--listen', 'nowhere', '--colour', 'red', '--workers', '65', 'stray', '--mode=lazy'], {
      FLOTILLA_MAX_TTL: 'long',
      FLOTILLA_PASSWORD_FILE: '/nowhere/at/all',
    });
    for (const part of [
      '--listen: "nowhere" is not an address',
      'there is no option --colour',
      '"stray" belongs to no option',
      '--workers: "65" is not a whole number from 1 to 64',
      '--mode: "lazy" is none of fast, slow',
      'FLOTILLA_MAX_TTL: "long" is not a duration',
      'FLOTILLA_PASSWORD_FILE: cannot read it',
      '--peer (or FLOTILLA_PEER) is needed: whom to ask',
    ]) {
      expect(faults).toContain(part);
    }
  });

  it.each([
    ['an option without its value', ['--peer'], '--peer needs a value: <https://host:port>'],
    ['an empty secret', ['--peer', 'https://a:1', '--password-file', 'EMPTY'], 'is empty'],
    ['no URL', ['--peer', 'galley'], '"galley" is not a URL'],
    ['a duration of nothing', ['--peer', 'https://a:1', '--max-ttl', '0s'], 'not longer than nothing'],
  ])('refuse %s', (_, argv, message) => {
    const empty = fileWith(' \n');
    expect(faultsOf(argv.map((argument) => (argument === 'EMPTY' ? empty : argument)))).toContain(message);
  });

  it('are documented with flag, variable, form, and what holds when they are absent', () => {
    const markdown = settingsMarkdown(table);
    expect(markdown).toMatch(
      /\| `--max-ttl <duration>` +\| `FLOTILLA_MAX_TTL` +\| longest lifetime; default `24h` +\|/,
    );
    expect(markdown).toMatch(/\| `--peer <https:\/\/host:port>` +\| `FLOTILLA_PEER` +\| whom to ask; required +\|/);
    expect(settingsHelp('x', 'does y', table)).toContain('--directory <directory>');
  });
});
