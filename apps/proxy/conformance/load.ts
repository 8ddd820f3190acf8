import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { decodeScenario } from './decode-scenario.ts';
import type { Scenario } from './scenario.ts';

const FOLDER = join(import.meta.dirname, 'scenarios');

/** All written scenarios, by name. Throws `ScenarioError` for a file with a fault. */
export async function loadScenarios(): Promise<readonly Scenario[]> {
  const files = (await readdir(FOLDER, { recursive: true })).filter((file) => file.endsWith('.yaml')).sort();
  return await Promise.all(
    files.map(async (file) => {
      const path = join(FOLDER, file);
      return decodeScenario(
        await readFile(path, 'utf8'),
        relative(process.cwd(), path),
        file.slice(0, -'.yaml'.length),
      );
    }),
  );
}
