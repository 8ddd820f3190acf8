import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program, repository, runFlotilla } from '../mesh.ts';

const ACCOUNT = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: ';
const EVERYWHERE = ['--xds', '--xds-tls', '--ca', '--api'].flatMap((option) => [option, '127.0.0.1:0']);

interface Started {
  readonly api: string;
  readonly child: ChildProcess;
}

interface Refused {
  readonly code: number;
  readonly stderr: string;
}

describe('the data directory of a control plane', () => {
  let scratch: string;
  let original: string;
  const children: ChildProcess[] = [];

  /** Resolves when it is ready, or has ended. */
  async function start(data: string, ...args: readonly string[]): Promise<Started | Refused> {
    const child = spawn(
      process.execPath,
      [program, 'control-plane', '-f', join(scratch, 'config'), '--data', data, ...EVERYWHERE, ...args],
      {
        cwd: repository,
        env: { ...process.env, FLOTILLA_HOME: join(scratch, 'home') },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    children.push(child);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(child, 'close').then(([code]): Refused => ({ code: Number(code), stderr }));
    const ready = once(createInterface(child.stdout), 'line').then(([line]): Started => {
      const { api } = JSON.parse(String(line)) as { readonly api: string }; // The command's own documented output.
      return { api, child };
    });
    return Promise.race([ready, ended]);
  }

  async function stop(started: Started | Refused): Promise<void> {
    if (!('child' in started)) throw new Error(`it did not start: ${started.stderr}`);
    const closed = once(started.child, 'close');
    started.child.kill('SIGTERM');
    await closed;
  }

  const apply = (name: string) => {
    writeFileSync(join(scratch, 'apply.yaml'), `${ACCOUNT}${name} }\n`);
    return runFlotilla(['apply', '-f', join(scratch, 'apply.yaml')], { FLOTILLA_HOME: join(scratch, 'home') });
  };

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'flotilla-lost-'));
    mkdirSync(join(scratch, 'config'));
    writeFileSync(join(scratch, 'config/account.yaml'), `${ACCOUNT}first }\n`);
    original = join(scratch, 'original');
    const started = await start(original);
    expect(await apply('applied')).toMatchObject({ code: 0 });
    await stop(started);
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  });

  it.each<[string, (data: string) => void, RegExp]>([
    ['an emptied store', (data) => truncateSync(join(data, 'galley.sqlite')), /galley.sqlite had the store/],
    ['no store', (data) => rmSync(join(data, 'galley.sqlite')), /galley.sqlite had the store/],
    ['no root', (data) => rmSync(join(data, 'citadel/root'), { recursive: true }), /root had the root/],
    ['an emptied root', (data) => truncateSync(join(data, 'citadel/root/cert.pem')), /cert.pem is damaged/],
    ['no keys at all', (data) => rmSync(join(data, 'citadel'), { recursive: true }), /root had the root/],
    [
      'a token key of its own only',
      (data) => rmSync(join(data, 'citadel/token'), { recursive: true }),
      /had the token key/,
    ],
  ])('refuses the start with %s, and says what to do', async (name, harm, reason) => {
    const data = join(scratch, name.replaceAll(' ', '-'));
    cpSync(original, data, { recursive: true, mode: 0 });
    harm(data);
    const refused = await start(data);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(reason) });
    const [, wish] = /--begin-anew (\S+)/.exec('stderr' in refused ? refused.stderr : '') ?? [];
    expect(wish === undefined).toBe(name === 'an emptied root');
    if (name === 'an emptied store') await stop(await start(data, '--begin-anew', wish ?? ''));
  });

  it('acknowledges no write after it was removed, and goes on answering', async () => {
    const data = join(scratch, 'removed');
    cpSync(original, data, { recursive: true });
    const started = await start(data);
    expect(await apply('before')).toMatchObject({ code: 0 });
    rmSync(data, { recursive: true });
    const refused = await apply('after');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/galley.sqlite was removed while it was in use/);
    const { stdout } = await runFlotilla(['get'], { FLOTILLA_HOME: join(scratch, 'home') });
    expect(stdout).toContain('before');
    expect(stdout).not.toContain('after');
    await stop(started);
  });
});
