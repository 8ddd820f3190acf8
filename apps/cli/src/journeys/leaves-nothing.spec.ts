import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { program, repository, TestMesh, type UpSummary } from './mesh.ts';

const bookinfo = join(repository, 'examples/bookinfo/mesh.yaml');

/** Pids of the processes of a mesh that still run; zombies that nobody waits for do not count. */
function running(pids: readonly number[]): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,stat=']).toString();
  const alive = new Set(
    table.split('\n').flatMap((line) => {
      const [pid, state] = line.trim().split(/\s+/);
      return state === undefined || state.startsWith('Z') ? [] : [Number(pid)];
    }),
  );
  return pids.filter((pid) => alive.has(pid));
}

function pidsOf(summary: UpSummary): number[] {
  return [
    summary.controlPlanePid,
    ...summary.proxies.flatMap(({ pid, applicationPid }) => [pid, applicationPid]).filter((pid) => pid !== undefined),
  ];
}

describe('no process stays behind', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'after %s to the parent',
    async (signal) => {
      const mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
      const pids = pidsOf(mesh.summary);
      expect(running(pids).length).toBeGreaterThanOrEqual(13);
      mesh.child.kill(signal);
      await expect.poll(() => running(pids), { timeout: 10_000 }).toEqual([]);
      await mesh.stop();
    },
    60_000,
  );

  it('after the shell that npm puts between is killed', async () => {
    const home = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    const command = `"${process.execPath}" "${program}" up -f "${bookinfo}" --any-port -o json; true`;
    const shell = spawn('sh', ['-c', command], {
      env: { ...process.env, FLOTILLA_HOME: home, npm_command: 'exec' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(createInterface(shell.stdout), 'line')) as [string];
    // The command's own documented output.
    const pids = pidsOf(JSON.parse(line) as UpSummary);
    expect(running(pids).length).toBeGreaterThanOrEqual(13);
    shell.kill('SIGKILL');
    await expect.poll(() => running(pids), { timeout: 10_000 }).toEqual([]);
    rmSync(home, { recursive: true, force: true });
  }, 60_000);

  it('an application or proxy that ends is started again', async () => {
    const mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
    const { pid, applicationPid, httpProxy } = mesh.proxy('productpage-v1');
    process.kill(pid, 'SIGKILL');
    process.kill(applicationPid, 'SIGKILL');
    expect(httpProxy).not.toBeNull();
    await expect
      .poll(
        async () => {
          const response = await fetch(`${mesh.summary.ingress}/productpage`).catch(() => null);
          return response?.status;
        },
        { timeout: 15_000 },
      )
      .toBe(200);
    await mesh.stop();
  }, 60_000);

  it('a sidecar and a control plane that live but do not answer are killed and started again', async () => {
    const mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
    const sidecar = mesh.proxy('reviews-v1');
    const frozen = [sidecar.pid, mesh.summary.controlPlanePid];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    await expect.poll(() => running(frozen), { timeout: 90_000 }).toEqual([]);
    for (const address of [`${sidecar.admin}/ready`, `${mesh.summary.api}/healthz`]) {
      const status = async () => (await fetch(address).catch(() => null))?.status;
      await expect.poll(status, { timeout: 30_000 }).toBe(200);
    }
    await mesh.stop();
  }, 180_000);
});
