import { readFile } from 'node:fs/promises';
import { decodeMeshConfig, formatFinding } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';

/** Reads a MeshConfig file; null means Istio's defaults. Throws `invalid` with every fault and its position. */
export async function loadMeshConfig(file: string | null): Promise<MeshConfig> {
  const text = file === null ? '' : await readText(file);
  const { config, findings } = decodeMeshConfig(text, file ?? 'defaults');
  if (config !== null) return config;
  const faults = findings.map((finding) => formatFinding(finding)).join('\n');
  throw new FlotillaError('invalid', `the mesh configuration cannot be used:\n${faults}`);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new FlotillaError(
      'invalid',
      `cannot read the mesh configuration ${file}: ${FlotillaError.from(error).message}`,
      {
        cause: error,
      },
    );
  }
}
