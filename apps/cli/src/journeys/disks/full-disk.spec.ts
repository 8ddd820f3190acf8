import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load } from '../load.ts';
import { repository, TestMesh } from '../mesh.ts';
import { until } from '../services/poll.ts';

const RATE = 100;
const DISK_MB = 16;
const FULL_FOR_MS = 6_000;

const MESH = `
name: small
workloads:
  - { name: details, service: details, ports: [{ port: 9080 }], command: [node, ${repository}/examples/bookinfo/src/details.ts, '\${PORT}'] }
  - { name: client, command: [node, -e, "setInterval(() => console.log('x'.repeat(500)), 20)"] }
`;
const account = (name: string): string => `apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: ${name} }\n`;

withPeer('tmpfs', (mount) => {
  describe('a disk that is full, of a mesh under 100 requests/s', () => {
    let scratch: string;
    let data: string;
    let mesh: TestMesh;

    beforeAll(async () => {
      scratch = mkdtempSync(join(tmpdir(), 'flotilla-full-'));
      data = join(scratch, 'data');
      mkdirSync(data, { mode: 0o700 });
      execFileSync(mount, ['-t', 'tmpfs', '-o', `size=${DISK_MB}m,mode=700`, 'tmpfs', data]);
      writeFileSync(join(scratch, 'mesh.yaml'), MESH);
      mesh = await TestMesh.start(join(scratch, 'mesh.yaml'), ['--data', data]);
    });
    afterAll(async () => {
      await mesh?.stop();
      execFileSync('umount', ['--lazy', data]);
      rmSync(scratch, { recursive: true, force: true });
    });

    const log = (process: string): string => readFileSync(join(data, 'logs', `${process}.log`), 'utf8');
    const pids = (): readonly number[] =>
      [
        mesh.summary.controlPlanePid,
        ...mesh.summary.proxies.flatMap((proxy) => [proxy.pid, proxy.applicationPid]),
      ].sort();
    const isAlive = (pid: number): boolean => process.kill(pid, 0);
    const apply = (name: string) => {
      const path = join(scratch, `${name}.yaml`);
      writeFileSync(path, account(name));
      return mesh.run('apply', '-f', path);
    };

    it('costs log lines, which are counted, and writes, which are refused; no request and no process', async () => {
      const forwardProxy = new URL(mesh.proxy('client').httpProxy ?? '');
      const load = new Load(
        {
          host: forwardProxy.hostname,
          port: Number(forwardProxy.port),
          path: 'http://details:9080/details/0',
          authority: 'details:9080',
        },
        RATE,
      );
      expect(await apply('before')).toMatchObject({ code: 0 });
      await until('access logs', async () => log('client.proxy').includes('/details/0'));

      await fill(join(data, 'fill'));
      await delay(FULL_FOR_MS);
      const refused = await apply('meanwhile');
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/nothing can be written to .*data: the disk is full/);

      rmSync(join(data, 'fill'));
      for (const process of ['client.proxy', 'client.application']) {
        await until(`${process} to be logged again`, async () =>
          /flotilla: \d+ lines were lost here, since 20.*: the disk is full\n.+\n/.test(log(process)),
        );
      }
      expect(await apply('after')).toMatchObject({ code: 0 });
      const { sent, failures } = await load.stop();
      const lost = Number(/flotilla: (\d+) lines were lost/.exec(log('client.proxy'))?.[1]);
      console.log(
        `full for ${FULL_FOR_MS / 1000} s: ${sent} requests, ${failures.length} failed; ${lost} access log lines lost`,
      );
      expect(failures).toEqual([]);
      expect(sent).toBeGreaterThan((RATE * FULL_FOR_MS) / 1_000);
      expect(lost).toBeGreaterThan(RATE);
      // The same as at the start: none was started again.
      expect(pids().every(isAlive)).toBe(true);
    }, 90_000);
  });
});

/** Writes until the disk takes no more. */
async function fill(path: string): Promise<void> {
  for (let bytes = 1 << 20; bytes > 0; bytes >>= 1) {
    try {
      for (;;) await appendFile(path, Buffer.alloc(bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}
