import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AcknowledgedWrites } from '../../apps/cli/src/journeys/services/acknowledged-writes.ts';
import { SERVICE_PORT } from '../../apps/cli/src/journeys/services/separate-mesh.ts';
import { accessLogLines } from './access-logs.ts';
import { faultsAfterwards } from './aftermath.ts';
import { changeOf } from './change.ts';
import { execute } from './execute.ts';
import { Load } from './load.ts';
import { ROSTER, startChaosMesh } from './mesh.ts';
import { formatPlan, makePlan } from './plan.ts';
import { makeReport, type Report } from './report.ts';
import { openWorld, type World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly requestsPerSecond: number;
  /** Path of `redis-server`. */
  readonly redis: string;
  /** Empty; what the run writes stays there. */
  readonly folder: string;
}

const WRITE_EVERY_MS = 250;

/** One run, in namespaces of its own. Says what it does, line by line. */
export async function run(options: RunOptions, say: (line: string) => void): Promise<Report> {
  const { seed, durationMs, requestsPerSecond, folder } = options;
  const plan = makePlan(seed, durationMs, ROSTER);
  say(`plan of seed ${seed}:\n${formatPlan(plan)}`);
  const mesh = await startChaosMesh(folder, options.redis);
  const world = openWorld(mesh);
  try {
    const load = new Load({
      clients: world.clients,
      services: world.services,
      servicePort: SERVICE_PORT,
      requestsPerSecond,
      journal: join(folder, 'failures.ndjson'),
    });
    const writes = new AcknowledgedWrites(
      world.mesh.client,
      (number) => changeOf(world.services, number),
      WRITE_EVERY_MS,
    );
    const startedMs = performance.now();
    const done = await execute(world, plan, say);
    await delay(Math.max(0, durationMs - (performance.now() - startedMs)));
    await writes.stop();
    const violations = await faultsAfterwards(world, writes);
    const { totals, failures } = await load.stop();
    return makeReport({
      seed,
      done,
      load: { totals, failures },
      outages: [...world.parts.values(), ...world.applications.values()].flatMap(({ outages }) => outages),
      writes: {
        acknowledged: writes.count,
        refused: writes.refusals.length,
        lost: await writes.lost().catch((error: unknown) => [`not known: ${String(error)}`]),
      },
      violations: [...violations, ...endings(world)],
      details: await accessLogLines(world.accessLogs, new Set(failures.map(({ number }) => number))),
    });
  } finally {
    // The disk that it is on ends with this process.
    cpSync(mesh.logs, join(folder, 'output'), { recursive: true });
    await world.close();
  }
}

/** Processes that ended, or did not end, against what they were told. Redis may: it cannot go on without its disk. */
function endings({ parts, applications }: World): readonly string[] {
  return [...parts.values(), ...applications.values()].flatMap(({ name, endedByItselfMs, killedAfterGrace }) => [
    ...(name === 'Redis'
      ? []
      : endedByItselfMs.map((at) => `${name} ended by itself at ${new Date(at).toISOString()}`)),
    ...(killedAfterGrace === 0 ? [] : [`${name} did not end ${killedAfterGrace} times when it was told to`]),
  ]);
}
