import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { validateBootstrap } from '../src/process/validate.ts';
import { type Batch, type BatchTools, composeForCheck } from './batch.ts';
import { composeBootstrap } from './compose.ts';

/** Why our proxy refuses a scenario's configuration, by prefix; those that it takes are absent. */
export async function refusedByOurs(batch: Batch, id: string, tools: BatchTools): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  for (;;) {
    const kept = [...batch].filter(([prefix]) => !refused.has(prefix));
    if (kept.length === 0) return refused;
    const { file, owners } = await writeBatch(kept, id, tools);
    const { faults } = await validateBootstrap(file);
    if (faults === null) return refused;
    for (const { path, message } of faults) {
      const [, kind = '', index = ''] = /static_resources\.(listeners|clusters)\[(\d+)\]/.exec(path) ?? [];
      const prefix = owners[kind]?.[Number(index)] ?? (kept.length === 1 ? kept[0]?.[0] : undefined);
      if (prefix === undefined) throw new Error(`${path}: ${message}`);
      const rest = path.replace(/^static_resources\.\w+\[\d+\]\.?/, '');
      if (!refused.has(prefix)) refused.set(prefix, rest === '' ? message : `${rest}: ${message}`);
    }
  }
}

/** Why Envoy refuses a scenario's configuration, by prefix. One process each: only asked when all together are refused. */
export async function refusedByEnvoy(
  batch: Batch,
  id: string,
  tools: BatchTools,
): Promise<ReadonlyMap<string, string>> {
  const message = await envoyRefusal([...batch], id, tools);
  if (message === null) return new Map();
  if (batch.size === 1) return new Map([...batch.keys()].map((prefix) => [prefix, message]));
  const entries = [...batch];
  const half = entries.length >> 1;
  return new Map([
    ...(await refusedByEnvoy(new Map(entries.slice(0, half)), id, tools)),
    ...(await refusedByEnvoy(new Map(entries.slice(half)), id, tools)),
  ]);
}

async function envoyRefusal(entries: Entries, id: string, tools: BatchTools): Promise<string | null> {
  const { file } = await writeBatch(entries, id, tools);
  try {
    await promisify(execFile)(tools.envoy, ['--mode', 'validate', '-c', file, '-l', 'error'], { maxBuffer: 1 << 26 });
    return null;
  } catch (error) {
    // What execFile rejects with.
    const said = (error as { stderr?: string }).stderr ?? String(error);
    return said.replace(/^\[.*?\]\[.*?\]\[.*?\]\[.*?\] \[.*?\] /gm, '').slice(-600);
  }
}

type Entries = readonly (readonly [string, Batch extends ReadonlyMap<string, infer S> ? S : never])[];

async function writeBatch(
  entries: Entries,
  id: string,
  tools: BatchTools,
): Promise<{ file: string; owners: Record<string, string[]> }> {
  const owners: Record<string, string[]> = { listeners: [], clusters: [] };
  const composed = entries.map(([prefix, scenario]) => {
    const each = composeForCheck(prefix, scenario, tools.certificatesFolder);
    owners['listeners']?.push(...each.listeners.map(() => prefix));
    owners['clusters']?.push(...each.clusters.map(() => prefix));
    return each;
  });
  const file = join(tools.folder, `${id}-check.json`);
  await writeFile(file, JSON.stringify(composeBootstrap(composed, entries[0]?.[1].bootstrap ?? {})));
  return { file, owners };
}
