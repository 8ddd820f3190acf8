import { seededRandom } from '@flotilla/runtime';
import { stringify } from 'yaml';
import { decodeScenario } from '../decode-scenario.ts';
import type { Scenario } from '../scenario.ts';
import { randomEdits } from './edits.ts';
import { randomRequestBytes, randomResponseBytes } from './framing.ts';
import type { Generate } from './pick.ts';
import { randomRetries } from './retries.ts';
import { randomRoutes } from './routes.ts';

/** Generated scenarios of one kind. */
export interface Family {
  readonly name: string;
  readonly generate: Generate;
}

export const FAMILIES: readonly Family[] = [
  { name: 'routes', generate: randomRoutes },
  { name: 'request-bytes', generate: randomRequestBytes },
  { name: 'response-bytes', generate: randomResponseBytes },
  { name: 'retries', generate: randomRetries },
  { name: 'edits', generate: randomEdits },
];

/** So many scenarios of a family, `generated/<family>/<number>`; the same for the same seed. */
export function generateScenarios({ name, generate }: Family, count: number, seed: number): Scenario[] {
  return Array.from({ length: count }, (_each, index) => {
    const each = `generated/${name}/${seed}-${index}`;
    return { ...decodeScenario(generatedYaml({ name, generate }, seed, index), each, each) };
  });
}

/** The file that a generated scenario would be. */
export function generatedYaml({ generate }: Family, seed: number, index: number): string {
  return stringify(generate(seededRandom(seed * 100_003 + index)), { lineWidth: 0 });
}

/** The file of a generated scenario by its name; null for one that was written. */
export function yamlOf(scenarioName: string): string | null {
  const [, name, seed, index] = /^generated\/([\w-]+)\/(\d+)-(\d+)$/.exec(scenarioName) ?? [];
  const family = FAMILIES.find((each) => each.name === name);
  return family === undefined ? null : generatedYaml(family, Number(seed), Number(index));
}
