import { readFile } from 'node:fs/promises';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { FlotillaError } from '@flotilla/runtime';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { type Document, isNode, isPair, isMap, LineCounter, parseDocument } from 'yaml';
import { type FieldPath, formatPath, violationsOf } from '@flotilla/envoy';
import { checkJson, typeUrlsIn } from './check-json.ts';
import { loadTypes } from './extension-types.ts';
import { applyRuntime } from './runtime.ts';

/** A fault of a bootstrap file. Lines and columns count from 1. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `static_resources.clusters[0].connect_timeout`; empty for a fault of the whole file. */
  readonly path: string;
  readonly message: string;
}

/** A decoded file, or all its faults. */
export type DecodedBootstrap =
  | { readonly bootstrap: Bootstrap; readonly faults: null; readonly faultAt: FaultAt }
  | { readonly bootstrap: null; readonly faults: readonly Fault[]; readonly faultAt: FaultAt };

/** Makes a fault at the place of a field, for faults that later steps find. */
export type FaultAt = (path: FieldPath, message: string) => Fault;

/** Reads an Envoy v3 bootstrap from a YAML or JSON file. Rejects with `system` when the file cannot be read. */
export async function readBootstrap(file: string): Promise<DecodedBootstrap> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw FlotillaError.from(error).within(`cannot read ${file}`);
  }
  return decodeBootstrap(text, file);
}

/** Decodes YAML or JSON text strictly: an unknown field or type, or a wrong value, is a fault with its place. */
export async function decodeBootstrap(text: string, file: string): Promise<DecodedBootstrap> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const faultAt: FaultAt = (path, message) => ({
    file,
    ...positionOf(document, lines, path),
    path: formatPath(path),
    message,
  });
  const syntax = document.errors.map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return { file, line, column: col, path: '', message: message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '' };
  });
  if (syntax.length > 0) return { bootstrap: null, faults: syntax, faultAt };

  let json: unknown;
  try {
    json = document.toJS({ maxAliasCount: 1_000 }) ?? {};
  } catch (error) {
    return { bootstrap: null, faults: [faultAt([], error instanceof Error ? error.message : String(error))], faultAt };
  }
  const registry = await loadTypes(typeUrlsIn(json));
  const faults = checkJson(BootstrapSchema, json, registry).map(({ path, message }) => faultAt(path, message));
  if (faults.length > 0) return { bootstrap: null, faults, faultAt };
  try {
    // checkJson has established that this is JSON of the message.
    const bootstrap = fromJson(BootstrapSchema, json as JsonValue, { registry });
    const violations = violationsOf(BootstrapSchema, bootstrap).map(({ path, reason }) => faultAt(path, reason));
    if (violations.length > 0) return { bootstrap: null, faults: violations, faultAt };
    applyRuntime(bootstrap, registry);
    return { bootstrap, faults: null, faultAt };
  } catch (error) {
    return { bootstrap: null, faults: [faultAt([], error instanceof Error ? error.message : String(error))], faultAt };
  }
}

/** `file:line:column: path: message`. */
export function formatFault(fault: Fault): string {
  const subject = fault.path === '' ? '' : `${fault.path}: `;
  return `${fault.file}:${fault.line}:${fault.column}: ${subject}${fault.message}`;
}

/** The place of the last field of the path's deepest part that is written in the document. */
function positionOf(document: Document, lines: LineCounter, path: FieldPath): { line: number; column: number } {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset === null) continue;
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  }
  return { line: 1, column: 1 };
}

function offsetOf(document: Document, path: FieldPath): number | null {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const step = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isPair(item) && isNode(item.key) && String(item.key) === String(step));
    return pair !== undefined && isNode(pair.key) ? (pair.key.range?.[0] ?? null) : null;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? (node.range?.[0] ?? null) : null;
}
