import { existsSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import {
  assertPrivateFile,
  assertPrivateFolder,
  makeDirectory,
  readSecretFile,
  replaceDurably,
} from '@flotilla/runtime/disk';

/** How the command line reaches a running control plane. */
export interface MeshContext {
  readonly name: string;
  /** Base URL of the API, such as `http://127.0.0.1:9901`. */
  readonly api: string;
  /** Allows writing. */
  readonly adminToken: string;
  /** Process that owns the mesh; the context is dead when it is gone. */
  readonly pid: number;
  readonly startedAtMs: number;
}

/** `$FLOTILLA_HOME`, or `~/.flotilla`. */
export function flotillaHome(env: NodeJS.ProcessEnv = process.env): string {
  return env['FLOTILLA_HOME'] ?? join(homedir(), '.flotilla');
}

/** Remembers a running mesh for later commands, readable by this user only. Returns what forgets it. */
export function publishContext(context: MeshContext, home = flotillaHome()): () => void {
  const folder = join(home, 'contexts');
  const file = join(folder, `${context.pid}.json`);
  try {
    makeDirectory(folder);
    assertPrivateFolder(folder);
    replaceDurably(file, `${JSON.stringify(context)}\n`);
  } catch (error) {
    const { message, hint } = FlotillaError.from(error);
    throw new FlotillaError('system', `cannot write ${file}: ${message}`, {
      cause: error,
      hint: hint ?? 'Set FLOTILLA_HOME to a directory that can be written.',
    });
  }
  return () => rmSync(file, { force: true });
}

/**
 * The contexts of meshes that still run, newest first. Throws `invalid` when others could have written or read them:
 * commands send the token in them to whatever address they name.
 */
export function liveContexts(home = flotillaHome()): MeshContext[] {
  const folder = join(home, 'contexts');
  if (!existsSync(folder)) return []; // No mesh was ever started by this user.
  assertPrivateFolder(folder);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readContext(join(folder, name)))
    .filter((context) => isAlive(context.pid) || forget(folder, context))
    .sort((a, b) => b.startedAtMs - a.startedAtMs);
}

/** The mesh a command means: the one at `api`, or the one started last. Throws `unavailable` when none runs. */
export function findContext(api: string | undefined, home?: string): MeshContext {
  const contexts = liveContexts(home);
  if (api === undefined) {
    const newest = contexts[0];
    if (newest === undefined) {
      throw new FlotillaError('unavailable', 'no mesh is running', {
        hint: 'Start one with "flotilla up", or name its API with --api http://host:port.',
      });
    }
    return newest;
  }
  const url = /^https?:\/\//.test(api) ? api.replace(/\/$/, '') : `http://${api}`;
  const known = contexts.find((context) => context.api === url);
  return { name: url, api: url, adminToken: known?.adminToken ?? '', pid: 0, startedAtMs: 0 };
}

/** The mesh was killed: what it left would mislead once its pid is used again. */
function forget(folder: string, { pid }: MeshContext): false {
  rmSync(join(folder, `${pid}.json`), { force: true });
  return false;
}

function readContext(file: string): MeshContext[] {
  if (!existsSync(file)) return []; // Its mesh ended meanwhile.
  assertPrivateFile(file);
  try {
    // Written by publishContext, in a directory that only this user can write.
    return [JSON.parse(readSecretFile(file)) as MeshContext];
  } catch {
    return []; // Damaged or gone: its mesh is not there.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
