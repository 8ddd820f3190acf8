import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PortAllocator } from '../supervisor/ports.ts';
import { type CommandResult, program, repository, runFlotilla } from './mesh.ts';
import { isReady, until } from './services/poll.ts';
import { type ServiceName, ServiceProcess } from './services/process.ts';

const page = readFileSync(join(repository, 'docs/api.md'), 'utf8');

/** The examples of the page, in order, by the words after their fence. */
function examples(kind: string): string[] {
  return [...page.matchAll(/^```(.*)\n([^]*?)^```$/gm)]
    .filter(([, words]) => words === kind)
    .map(([, , code]) => code ?? '');
}

/** Runs a shell script of the page as a reader would from a checkout where `npx flotilla` is the command. */
function runScript(script: string, grpcurl: string, cwd: string, home: string): Promise<CommandResult> {
  const preamble = 'set -euo pipefail\nnpx() { shift; "$NODE" "$PROGRAM" "$@"; }\ngrpcurl() { "$GRPCURL" "$@"; }\n';
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program, GRPCURL: grpcurl, FLOTILLA_HOME: home };
  return run('bash', ['-c', preamble + script], { cwd, env });
}

function run(file: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<CommandResult> {
  return new Promise((done) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      // A process that could not be started has a text as its code.
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
    });
  });
}

withPeer('curl', () =>
  withPeer('grpcurl', (grpcurl) => {
    describe('docs/api.md, against an embedded control plane', () => {
      let home: string;
      let child: ChildProcess;
      const script = (at: number) => runScript(`${examples('sh')[0]}\n${examples('sh')[at]}`, grpcurl, home, home);

      beforeAll(async () => {
        home = mkdtempSync(join(tmpdir(), 'flotilla-api-page-'));
        const ports = ['--xds', '--xds-tls', '--ca', '--api'].flatMap((option) => [option, '127.0.0.1:0']);
        child = spawn(process.execPath, [program, 'control-plane', ...ports], {
          env: { ...process.env, FLOTILLA_HOME: home },
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        if (child.stdout === null) throw new Error('the command has no standard output');
        await once(createInterface(child.stdout), 'line');
      });
      afterAll(async () => {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
        rmSync(home, { recursive: true, force: true });
      });

      it('has an example of each kind', () => {
        expect([examples('sh').length, examples('sh separate').length, examples('ts').length]).toEqual([4, 2, 1]);
      });

      it('curl applies and reads', async () => {
        const { code, stdout } = await script(1);
        expect(code).toBe(0);
        const [applied, list, proxies] = stdout.split(/(?<=\})(?=\{)/).map((text): unknown => JSON.parse(text));
        expect(applied).toMatchObject({ version: '1', resources: [{ outcome: 'OUTCOME_CREATED' }] });
        expect(list).toMatchObject({ resources: [{ key: { name: 'web' }, origin: { source: 'my-tool' } }] });
        expect(proxies).toMatchObject({ version: '1' });
      });

      it('grpcurl lists, describes, calls and watches', async () => {
        const { code, stdout, stderr } = await script(2);
        expect([code, stderr.replace(/ERROR:\n {2}Code: DeadlineExceeded\n.*\n/, '')]).toEqual([0, '']);
        expect(stdout).toContain('flotilla.galley.v1.GalleyService\n');
        expect(stdout).toContain('repeated .flotilla.galley.v1.Document documents = 1;');
        expect(stdout).toContain('OUTCOME_DELETED');
        expect(stdout).toMatch(/"version": "2"[^]*"snapshot": true/);
      });

      it('the TypeScript example applies, waits and lists', async () => {
        const { stdout } = await runFlotilla(['env'], { FLOTILLA_HOME: home });
        const exported = Object.fromEntries([...stdout.matchAll(/^export (\w+)=(.*)$/gm)].map(([, k, v]) => [k, v]));
        const args = ['--input-type=module-typescript', '--eval', examples('ts')[0] ?? ''];
        const result = await run(process.execPath, args, {
          cwd: join(repository, 'apps/cli'),
          env: { ...process.env, ...exported },
        });
        expect(result).toMatchObject({ code: 0, stderr: '' });
        expect(result.stdout).toMatch(/^0 proxies acknowledged version \d+\nhttp:\/\/127.0.0.1:\d+ 0\n$/);
      });

      it('the refused change comes back with its report', async () => {
        const { code, stdout } = await script(3);
        expect(code).toBe(0);
        const { details, ...error } = JSON.parse(stdout) as { readonly details: readonly object[] };
        expect(error).toMatchObject({ code: 'invalid_argument' });
        expect(details).toContainEqual(
          expect.objectContaining({
            type: 'flotilla.galley.v1.ValidationReport',
            debug: { findings: [expect.objectContaining({ field: 'spec.ports[0].port' })] },
          }),
        );
      });
    });

    describe('docs/api.md, against separate services', () => {
      let scratch: string;
      const started: ServiceProcess[] = [];
      const ports = new PortAllocator();
      const real = new Map<string, number>();

      beforeAll(async () => {
        scratch = mkdtempSync(join(tmpdir(), 'flotilla-api-page-'));
        mkdirSync(join(scratch, 'config'));
        const secret = (name: string) => join(scratch, 'secrets', name);
        await runFlotilla(['secrets', '--out', join(scratch, 'secrets')]);
        for (const port of ['8060', '9901', '15013', '15012']) real.set(port, await ports.free());
        const at = (port: string) => `127.0.0.1:${real.get(port)}`;
        const start = async (name: ServiceName, args: readonly string[]) => {
          const status = `127.0.0.1:${await ports.free()}`;
          const common = ['--status-address', status, '--admin-token-file', secret('admin-token')];
          started.push(new ServiceProcess(name, name, [...common, ...args]).start());
          return `http://${status}`;
        };
        const identity = (name: string) => [
          ...['--ca', `https://${at('8060')}`, '--ca-roots', secret('root-cert.pem')],
          ...['--token-file', secret(`tokens/istio-system.${name}`)],
        ];
        const statuses = [
          await start('citadel', [
            ...['--listen', at('8060'), '--root-certificate-file', secret('root-cert.pem')],
            ...['--root-key-file', secret('root-key.pem'), '--token-key-file', secret('token-key.pem')],
            ...['--token-state', join(scratch, 'citadel')],
          ]),
          await start('galley', ['--listen', at('9901'), '--data', join(scratch, 'data'), ...identity('galley')]),
          await start('pilot', [
            ...['--listen', at('15013'), '--xds-tls', at('15012'), '--galley', `https://${at('9901')}`],
            ...identity('pilot'),
          ]),
        ];
        for (const url of statuses) await until(`${url} is ready`, () => isReady(url), 60_000);
      }, 90_000);
      afterAll(async () => {
        await Promise.all(started.map((service) => service.end('SIGKILL')));
        rmSync(scratch, { recursive: true, force: true });
      });

      const script = (at: number) => {
        const text = examples('sh separate')[at] ?? '';
        const placed = text.replaceAll(/(?<=localhost:|127\.0\.0\.1:)\d+/g, (port) => String(real.get(port) ?? port));
        return runScript(placed, grpcurl, scratch, scratch);
      };

      it('curl and grpcurl verify the services by the root certificate', async () => {
        const { code, stdout, stderr } = await script(0);
        expect([code, stderr]).toEqual([0, '']);
        expect(stdout).toMatch(/^\{"token":"[\w-]+\.[\w-]+\.[\w-]+"/);
        expect(stdout).toContain('"pilotId"');
      });

      it('the command line finds them in the environment', async () => {
        const { code, stdout, stderr } = await script(1);
        expect([code, stderr]).toEqual([0, '']);
        expect(stdout).toMatch(/^PROXY/);
      });
    });
  }),
);
