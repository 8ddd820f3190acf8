import { FlotillaError, parseDurationMs } from '@flotilla/runtime';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml';

const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

interface Faults {
  readonly path: string;
  readonly lines: LineCounter;
  readonly messages: string[];
}

/** Opens a YAML text whose root is a mapping. Syntax errors are faults too. */
export function openReader(text: string, path: string): Reader {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults: Faults = { path, lines, messages: [] };
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    faults.messages.push(`${path}:${line}:${col}: ${error.message}`);
  }
  if (faults.messages.length > 0) throwFaults(faults);
  const root = document.contents;
  if (!isMap(root)) {
    faults.messages.push(`${path}:1:1: a mesh file is a mapping with "workloads" in it`);
    throwFaults(faults);
  }
  return new Reader(root as YAMLMap, '', faults);
}

function throwFaults(faults: Faults): never {
  throw new FlotillaError('invalid', `the mesh file cannot be used:\n${faults.messages.join('\n')}`, {
    hint: 'docs/mesh-file.md describes every field.',
  });
}

/**
 * Reads one mapping field by field, collecting every fault with its position instead of stopping at the
 * first. Reading a faulty field gives its default, so that decoding goes on.
 */
export class Reader {
  readonly #map: YAMLMap;
  readonly #field: string;
  readonly #faults: Faults;
  readonly #read = new Set<string>();

  constructor(map: YAMLMap, field: string, faults: Faults) {
    this.#map = map;
    this.#field = field;
    this.#faults = faults;
  }

  has(key: string): boolean {
    this.#read.add(key);
    return this.#map.has(key);
  }

  string(key: string, fallback: string): string {
    const node = this.#node(key);
    if (node === null) return fallback;
    if (isScalar(node) && typeof node.value === 'string') return node.value;
    this.#faultAt(node, key, 'must be a text');
    return fallback;
  }

  /** A DNS-1123 name. */
  name(key: string, fallback: string): string {
    const value = this.string(key, fallback);
    if (this.has(key) && !NAME.test(value)) {
      this.fault(key, `"${value}" is not a name (lower-case letters, digits, "-" and ".")`);
    }
    return value;
  }

  requiredName(key: string): string {
    if (!this.has(key)) this.fault(key, 'is missing');
    return this.name(key, 'unnamed');
  }

  /** A port number. `fallback` null: the field is required. */
  port(key: string, fallback: number | null, minimum = 0): number {
    const node = this.#node(key);
    if (node === null) {
      if (fallback === null) this.fault(key, 'is missing');
      return fallback ?? 0;
    }
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= 65_535) return value;
    this.#faultAt(node, key, `must be a port number from ${minimum} to 65535`);
    return fallback ?? 0;
  }

  durationMs(key: string, fallback: number): number {
    const node = this.#node(key);
    if (node === null) return fallback;
    try {
      return parseDurationMs(isScalar(node) ? String(node.value) : '');
    } catch {
      this.#faultAt(node, key, 'must be a duration such as 30s or 24h');
      return fallback;
    }
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    const value = this.string(key, fallback);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.fault(key, `must be one of ${choices.join(', ')}`);
    return found ?? fallback;
  }

  /** A list of texts and numbers; one alone counts as a list of one. */
  strings(key: string): string[] {
    const node = this.#node(key);
    if (node === null) return [];
    const items: readonly unknown[] = isSeq(node) ? node.items : [node];
    return items.flatMap((item) => {
      if (isScalar(item) && (typeof item.value === 'string' || typeof item.value === 'number'))
        return [String(item.value)];
      this.#faultAt(node, key, 'must be a list of texts');
      return [];
    });
  }

  stringMap(key: string): Record<string, string> {
    const node = this.#node(key);
    if (node === null) return {};
    if (!isMap(node)) {
      this.#faultAt(node, key, 'must be a mapping of names to texts');
      return {};
    }
    return Object.fromEntries(
      node.items.map((pair) => [
        String(isScalar(pair.key) ? pair.key.value : pair.key),
        String(isScalar(pair.value) ? (pair.value.value ?? '') : ''),
      ]),
    );
  }

  /** A list of mappings, each with a reader of its own. */
  list(key: string): Reader[] {
    const node = this.#node(key);
    if (node === null) return [];
    if (!isSeq(node)) {
      this.#faultAt(node, key, 'must be a list');
      return [];
    }
    return node.items.flatMap((item, index) => {
      if (isMap(item)) return [new Reader(item as YAMLMap, `${this.#path(key)}[${index}]`, this.#faults)];
      this.#faultAt(node, key, `entry ${index} must be a mapping`);
      return [];
    });
  }

  /** Reports every field that nobody read. */
  finish(): void {
    for (const pair of this.#map.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      if (!this.#read.has(key)) {
        this.#faultAt(
          isScalar(pair.key) ? pair.key : this.#map,
          key,
          `is not a field of a mesh file; known here: ${[...this.#read].join(', ')}`,
        );
      }
    }
  }

  fault(key: string, message: string): void {
    this.#faultAt(this.#node(key) ?? this.#map, key, message);
  }

  throwFaults(): void {
    if (this.#faults.messages.length > 0) throwFaults(this.#faults);
  }

  #node(key: string): Node | null {
    this.#read.add(key);
    const node = this.#map.get(key, true);
    return node === undefined ? null : (node as unknown as Node);
  }

  #path(key: string): string {
    return this.#field === '' ? key : `${this.#field}.${key}`;
  }

  #faultAt(node: Node, key: string, message: string): void {
    const { line, col } = this.#faults.lines.linePos(node.range?.[0] ?? 0);
    this.#faults.messages.push(`${this.#faults.path}:${line}:${col}: ${this.#path(key)} ${message}`);
  }
}
