import { connectMesh, environmentOptions, type MeshClient, type MeshOptions, readSetting } from '@flotilla/client';
import { findContext } from '../context/context.ts';

/** Options of every command that calls a control plane. Each has an environment variable, which gives way to it. */
export interface ApiOptions {
  readonly api?: string;
  readonly pilot?: readonly string[];
  readonly citadel?: string;
  readonly caRoots?: string;
  readonly trustDomain?: string;
  readonly token?: string;
  readonly allowPlaintext?: boolean;
}

/** Connects to the mesh that options and environment mean. Throws `unavailable` when none is named and none runs. */
export function openMesh(options: ApiOptions, env: NodeJS.ProcessEnv = process.env): MeshClient {
  return connectMesh(meshOptions(options, env));
}

/** What options and environment say; what they do not say comes from the context of a mesh that runs here. */
export function meshOptions(options: ApiOptions, env: NodeJS.ProcessEnv): MeshOptions {
  const { citadel, trustDomain, caRoots, pilot, token, allowPlaintext } = options;
  const named = {
    ...environmentOptions(env),
    ...(pilot === undefined ? {} : { pilots: pilot }),
    ...(citadel === undefined ? {} : { citadel }),
    ...(allowPlaintext === true ? { allowPlaintext } : {}),
    ...(trustDomain === undefined ? {} : { trustDomain }),
    ...(caRoots === undefined ? {} : { rootsPem: readSetting('--ca-roots', caRoots) }),
  };
  const context = findContext(options.api ?? named.api);
  return { token: context.adminToken, ...named, ...(token === undefined ? {} : { token }), api: context.api };
}
