import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository, TestMesh } from './mesh.ts';

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

function pidsOf(mesh: TestMesh): number[] {
  const { summary } = mesh;
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
      const pids = pidsOf(mesh);
      expect(running(pids).length).toBeGreaterThanOrEqual(13);
      mesh.child.kill(signal);
      await expect.poll(() => running(pids), { timeout: 10_000 }).toEqual([]);
      await mesh.stop();
    },
    60_000,
  );

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
});
