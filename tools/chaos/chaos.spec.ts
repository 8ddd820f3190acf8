import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { expect, it } from 'vitest';
import type { Report } from './report.ts';

const SEED = 12;
/** `FLOTILLA_CHAOS_MINUTES=10` for a long run. */
const MINUTES = Number(process.env['FLOTILLA_CHAOS_MINUTES'] ?? 3);
const START_AND_END_MS = 180_000;

withPeer('redis-server', () =>
  withPeer('network-namespaces', () => {
    it(
      'random faults fail no request that a killed instance does not explain, and lose no write',
      async () => {
        const folder = mkdtempSync(join(tmpdir(), 'flotilla-chaos-spec-'));
        const args = ['--minutes', String(MINUTES), '--seed', String(SEED), '--out', folder];
        const output = await new Promise<string>((resolve) =>
          execFile(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], (error, stdout, stderr) =>
            resolve(`${error?.message ?? ''}\n${stdout}\n${stderr}`),
          ),
        );
        // What the tool writes.
        const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report;
        const { unexplained, lost, violations } = report;
        expect({ unexplained, lost, violations }, output).toEqual({ unexplained: [], lost: [], violations: [] });
        expect(
          Object.values(report.injected).every((count) => count > 0),
          output,
        ).toBe(true);
        expect(report.sent).toBeGreaterThan(MINUTES * 60 * 100);
        console.log(output.split('\n').slice(-7).join('\n'));
        rmSync(folder, { recursive: true });
      },
      MINUTES * 60_000 + START_AND_END_MS,
    );
  }),
);
