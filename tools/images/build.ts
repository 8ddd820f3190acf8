/**
 * Builds every image of deploy/docker/Dockerfile from fresh bundles and prints a table of their sizes.
 *
 *   npm run images                                        flotilla/<service>:<version>, on the official Node image
 *   npm run images -- --base local/node:26 --tag dev      on another base, by another tag
 *   npm run images -- --only pilot,proxy                  some of them
 *
 * Uses the `docker` of PATH with whatever daemon its environment names.
 */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import { buildArguments, checkBundles, imageReference, type ImagePlan, parseArguments } from './plan.ts';

const root = resolve(import.meta.dirname, '../..');
const MEGABYTE = 1_000_000;

try {
  const plan = parseArguments(root, process.argv.slice(2));
  execFileSync(process.execPath, [join(root, 'tools/build/bundle.ts'), '--if-stale'], { stdio: 'inherit' });
  checkBundles(plan);
  buildAll(plan);
} catch (thrown) {
  const { code, message, hint } = FlotillaError.from(thrown);
  console.error(`images: ${message}${hint === undefined ? '' : `\n${hint}`}`);
  process.exitCode = code === 'usage' ? 2 : 1;
}

function buildAll(plan: ImagePlan): void {
  console.log(`${'IMAGE'.padEnd(32)} ${'SIZE'.padStart(9)} ${'OWN'.padStart(9)} ${'SECONDS'.padStart(8)}`);
  for (const name of plan.names) {
    const reference = imageReference(name, plan.tag);
    const start = performance.now();
    docker(buildArguments(plan, name));
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const { total, own } = sizesOf(reference);
    console.log(`${reference.padEnd(32)} ${megabytes(total)} ${megabytes(own)} ${seconds.padStart(8)}`);
  }
}

/** Bytes of an image, and those of the layers that our Dockerfile adds to its base. */
function sizesOf(reference: string): { readonly total: number; readonly own: number } {
  const total = Number(docker(['image', 'inspect', '--format', '{{.Size}}', reference]));
  const history = docker(['history', '--no-trunc', '--human=false', '--format', '{{.Size}} {{.CreatedBy}}', reference]);
  let own = 0;
  for (const line of history.split('\n')) {
    own += Number.parseInt(line, 10);
    if (/\bWORKDIR \/flotilla\b/.test(line)) break; // The first step of ours; older ones follow.
  }
  return { total, own };
}

function megabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(1)} MB`.padStart(9);
}

function docker(args: readonly string[]): string {
  try {
    return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw isMissing
      ? new FlotillaError('system', 'there is no docker on PATH', { cause, hint: 'Install Docker, then try again.' })
      : new FlotillaError('system', `docker ${args.join(' ')} failed`, { cause, hint: 'What docker said is above.' });
  }
}
