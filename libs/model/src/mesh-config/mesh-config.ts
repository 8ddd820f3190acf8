import { create } from '@bufbuild/protobuf';
import { MeshConfigSchema, type MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { FaultList } from '../decode/fault.ts';
import { decodeMessage } from '../decode/message.ts';
import { toFindings, type Finding } from '../finding.ts';
import { readDocuments } from '../yaml/read-documents.ts';
import { MESH_CONFIG_SUPPORT } from './support.ts';
import { meshConfigValueFaults } from './values.ts';

export interface DecodedMeshConfig {
  /** `null` when there is an error among the findings. A field that is not written is absent: pilot knows its default. */
  readonly config: MeshConfig | null;
  readonly findings: readonly Finding[];
}

/**
 * Reads a mesh configuration file: one YAML document with Istio's MeshConfig fields at its root. Unknown fields and
 * fields that this version does not honour are errors, unless the latter are written with Istio's default. An empty
 * file means the defaults. Never throws.
 */
export function decodeMeshConfig(text: string, source: string): DecodedMeshConfig {
  const { documents, findings } = readDocuments(text, source);
  if (findings.length > 0) return { config: null, findings };
  const [document, second] = documents;
  if (document === undefined) return { config: create(MeshConfigSchema), findings: [] };
  if (second !== undefined) {
    const message = 'a mesh configuration is one document, and here a second one begins';
    const finding = { severity: 'error', code: 'IST0106', resource: null, field: '', hint: '', message } as const;
    return { config: null, findings: [{ ...finding, origin: second.origin }] };
  }
  const decoded = decodeMessage(MeshConfigSchema, document.value);
  const faults = new FaultList();
  faults.addAll(decoded);
  if (decoded.ok) {
    for (const fault of MESH_CONFIG_SUPPORT.check(document.value, [])) faults.add(fault);
    for (const fault of meshConfigValueFaults(decoded.value)) faults.add(fault);
  }
  const isUsable = decoded.ok && !faults.hasErrors;
  return { config: isUsable ? decoded.value : null, findings: toFindings(faults, null, document) };
}
