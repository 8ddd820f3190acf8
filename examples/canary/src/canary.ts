#!/usr/bin/env node
/** Shifts a service from one version to another, step by step, and back by itself when errors rise. See the README. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectMesh, environmentOptions, FlotillaError, type MeshClient } from '@flotilla/client';
import { type CanaryOptions, decodeOptions } from './options.ts';
import { countRequests } from './requests.ts';

const EXIT = { promoted: 0, rolledBack: 1, usage: 2, unreachable: 3 } as const;
const POLL_MS = 250;
const ROLLBACK_ATTEMPTS = 10;
const ROLLBACK_PAUSE_MS = 1_000;

/** Sends this percentage to the new version and waits until every proxy does so. */
async function shift(mesh: MeshClient, options: CanaryOptions, percent: number, signal?: AbortSignal): Promise<void> {
  const { host, namespace, from, to } = options;
  const route = [
    { destination: { host, subset: from }, weight: 100 - percent },
    { destination: { host, subset: to }, weight: percent },
  ];
  const virtualService = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: host, namespace },
    spec: { hosts: [host], http: [{ route }] },
  };
  const documents = [{ source: 'canary', yaml: JSON.stringify(virtualService) }];
  const { version } = await mesh.galley.apply({ documents });
  const proxies = await mesh.waitForSync(version, signal === undefined ? {} : { signal });
  console.log(`${percent} % to ${to}: ${proxies} proxies acknowledged version ${version}`);
}

/** Throws when too many requests to the new version fail, or too few arrive to judge it. */
async function watch(options: CanaryOptions, signal: AbortSignal): Promise<void> {
  const { watchMs, minRequests, maxErrorRate } = options;
  const before = await countRequests(options);
  for (let elapsedMs = 0; ; elapsedMs += POLL_MS) {
    await sleep(POLL_MS, undefined, { signal });
    const now = await countRequests(options);
    const total = now.total - before.total;
    const failed = now.failed - before.failed;
    const isEnough = total >= minRequests;
    if (isEnough && failed / total > maxErrorRate) throw new Error(`${failed} of ${total} requests failed`);
    if (isEnough && elapsedMs >= watchMs) return;
    if (elapsedMs >= 10 * Math.max(watchMs, 1_000)) throw new Error(`only ${total} requests came: too few to judge`);
  }
}

/** The mesh may be in trouble just now, so not only once. */
async function rollBack(mesh: MeshClient, options: CanaryOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await shift(mesh, options, 0);
    } catch (error) {
      if (attempt === ROLLBACK_ATTEMPTS) throw error;
      console.error(`canary: not rolled back yet: ${describe(error)}`);
      await sleep(ROLLBACK_PAUSE_MS);
    }
  }
}

async function run(mesh: MeshClient, options: CanaryOptions, signal: AbortSignal): Promise<number> {
  try {
    await shift(mesh, options, 0, signal);
    await countRequests(options);
  } catch (error) {
    console.error(`canary: cannot start: ${describe(error)}`);
    if (signal.aborted) return EXIT.rolledBack;
    return error instanceof FlotillaError && error.code !== 'unavailable' ? EXIT.usage : EXIT.unreachable;
  }
  try {
    for (const percent of options.steps) {
      await shift(mesh, options, percent, signal);
      await watch(options, signal);
    }
    console.log(`promoted ${options.to}`);
    return EXIT.promoted;
  } catch (error) {
    console.error(`canary: rolling back to ${options.from}: ${describe(signal.aborted ? signal.reason : error)}`);
  }
  try {
    await rollBack(mesh, options);
    return EXIT.rolledBack;
  } catch (error) {
    console.error(`canary: NOT rolled back: ${describe(error)}`);
    return EXIT.unreachable;
  }
}

const describe = (error: unknown) => FlotillaError.from(error).describe();

const options = decodeOptions(process.argv.slice(2));
if (typeof options === 'string') {
  console.error(options);
  process.exitCode = EXIT.usage;
} else {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'])
    process.on(name, () => interrupt.abort(new Error(`interrupted by ${name}`)));
  const mesh = connectMesh({ api: 'http://127.0.0.1:9901', ...environmentOptions() });
  process.exitCode = await run(mesh, options, interrupt.signal);
  mesh.close();
}
