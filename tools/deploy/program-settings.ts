import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const MAINS: Readonly<Record<string, string>> = {
  citadel: 'apps/citadel/src/main.ts',
  galley: 'apps/galley/src/main.ts',
  pilot: 'apps/pilot/src/main.ts',
  proxy: 'apps/proxy/src/main.ts',
  capture: 'apps/proxy/src/capture/main.ts',
};

/** For a test that asks all services: they run from their sources. */
export const ASK_LIMIT_MS = 60_000;

const known = new Map<string, ReadonlySet<string>>();

/** The variables that a service reads, as its own `--help` tells its options. */
export function variablesOf(service: string): ReadonlySet<string> {
  const variables = known.get(service) ?? askVariables(service);
  known.set(service, variables);
  return variables;
}

function askVariables(service: string): ReadonlySet<string> {
  const main = MAINS[service];
  if (main === undefined || !existsSync(join(root, main))) return new Set();
  const help = execFileSync(process.execPath, [join(root, main), '--help'], { encoding: 'utf8' });
  return new Set([...help.matchAll(/^ +--([a-z0-9-]+)/gm)].map(([, name = '']) => variableOf(name)));
}

function variableOf(option: string): string {
  return `FLOTILLA_${option.replaceAll('-', '_').toUpperCase()}`;
}

/** The service that an image is of, `pilot` of `flotilla/pilot:0.1.0`; null for the images of others. */
export function serviceOfImage(image: string): string | null {
  return /(?:^|\/)(citadel|galley|pilot|proxy|capture):/.exec(image)?.[1] ?? null;
}

/** Variables of Flotilla's that nobody reads, of one container. */
export function unknownVariables(image: string, names: readonly string[]): string[] {
  const service = serviceOfImage(image);
  if (service === null) return [];
  const variables = variablesOf(service);
  return names
    .filter((name) => name.startsWith('FLOTILLA_') && !variables.has(name))
    .map((name) => `${service}: ${name}`);
}
