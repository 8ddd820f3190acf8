import { connectMesh, type MeshClient, type MeshOptions } from '@flotilla/client';
import { FlotillaError } from '@flotilla/runtime';
import { readFileSync } from 'node:fs';
import { findContext } from '../context/context.ts';

/** Options of every command that calls a control plane. Each has an environment variable, which gives way to it. */
export interface ApiOptions {
  readonly api?: string;
  readonly pilot?: readonly string[];
  readonly citadel?: string;
  readonly caRoots?: string;
  readonly trustDomain?: string;
  readonly token?: string;
}

/** Connects to the mesh that options and environment mean. Throws `unavailable` when none is named and none runs. */
export function openMesh(options: ApiOptions, env: NodeJS.ProcessEnv = process.env): MeshClient {
  return connectMesh(meshOptions(options, env));
}

/** What options and environment say; what they do not say comes from the context of a mesh that runs here. */
export function meshOptions(options: ApiOptions, env: NodeJS.ProcessEnv): MeshOptions {
  const setting = (option: string | undefined, variable: string) => option ?? (env[variable] || undefined);
  const roots = setting(options.caRoots, 'FLOTILLA_CA_ROOTS');
  const citadel = setting(options.citadel, 'FLOTILLA_CITADEL_API');
  const trustDomain = setting(options.trustDomain, 'FLOTILLA_TRUST_DOMAIN');
  const context = findContext(setting(options.api, 'FLOTILLA_API'), tokenOf(options, env));
  return {
    api: context.api,
    token: context.adminToken,
    pilots: options.pilot ?? listOf(env['FLOTILLA_PILOT_API']),
    ...(citadel === undefined ? {} : { citadel }),
    ...(trustDomain === undefined ? {} : { trustDomain }),
    ...(roots === undefined ? {} : { rootsPem: readNamed(roots, '--ca-roots') }),
  };
}

function tokenOf(options: ApiOptions, env: NodeJS.ProcessEnv): string | undefined {
  const token = options.token ?? (env['FLOTILLA_ADMIN_TOKEN'] || undefined);
  const file = env['FLOTILLA_ADMIN_TOKEN_FILE'];
  if (token !== undefined || file === undefined || file === '') return token;
  return readNamed(file, 'FLOTILLA_ADMIN_TOKEN_FILE').trim();
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function readNamed(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { message } = FlotillaError.from(error);
    throw new FlotillaError('usage', `${setting}: cannot read ${path}: ${message}`, { cause: error });
  }
}
