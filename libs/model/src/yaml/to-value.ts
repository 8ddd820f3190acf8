import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Node, Pair, Scalar, YAMLMap } from 'yaml';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { YamlLimits } from './limits.ts';

export interface ValueFault {
  /** Offset into the text. */
  readonly offset: number;
  readonly message: string;
}

export interface ReadValue {
  readonly value: JsonValue;
  readonly faults: readonly ValueFault[];
  /** What each alias stands for. */
  readonly aliases: ReadonlyMap<Alias, Node>;
}

/** Turns a parsed document into JSON, in time and space linear in `limits.maxNodes`. */
export function toValue(root: Node, limits: YamlLimits): ReadValue {
  const reader = new ValueReader(limits);
  const value = reader.read(root, 0);
  return { value: value ?? null, faults: reader.faults, aliases: reader.aliases };
}

export function nestedTooDeeply({ maxDepth }: YamlLimits): string {
  return `lists and maps are nested too deeply (limit ${maxDepth})`;
}

/** The text of a map's key, or `null` for keys that are no scalars. */
export function keyText(key: unknown): string | null {
  if (!isScalar(key)) return key === null ? '' : null;
  if (typeof key.value === 'string') return key.value;
  // As written, so that 8080 and 1.0 stay themselves.
  return key.source ?? String(key.value);
}

export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
}

const CORE_TAGS: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);

class ValueReader {
  readonly faults: ValueFault[] = [];
  readonly aliases = new Map<Alias, Node>();
  readonly #anchors = new Map<string, Node>();
  readonly #limits: YamlLimits;
  /** Aliases whose targets are being read: meeting one again means that it stands within its own anchor. */
  readonly #expanding = new Set<Alias>();
  #nodes = 0;
  #isStopped = false;

  constructor(limits: YamlLimits) {
    this.#limits = limits;
  }

  read(node: unknown, depth: number): JsonValue | undefined {
    if (this.#isStopped) return undefined;
    if (node === null || node === undefined) return null;
    // The parser makes nothing but nodes; aliases, maps, lists and scalars are all there are.
    const typed = node as Node;
    this.#nodes += 1;
    if (this.#nodes > this.#limits.maxNodes) {
      return this.#stop(typed, `the document has more than ${this.#limits.maxNodes} values, aliases included`);
    }
    if (depth > this.#limits.maxDepth) {
      return this.#stop(typed, nestedTooDeeply(this.#limits));
    }
    if (isAlias(typed)) return this.#readAlias(typed, depth);
    if (typed.anchor !== undefined && typed.anchor !== '') this.#anchors.set(typed.anchor, typed);
    if (typed.tag !== undefined && !CORE_TAGS.has(typed.tag)) return this.#fault(typed, `unknown tag ${typed.tag}`);
    if (isMap(typed)) return this.#readMap(typed, depth);
    if (isSeq(typed)) return typed.items.map((item) => this.read(item, depth + 1) ?? null);
    if (isScalar(typed)) return this.#readScalar(typed);
    return this.#fault(typed, 'unknown kind of value');
  }

  #readAlias(alias: Alias, depth: number): JsonValue | undefined {
    // An alias means the anchor before it, also when it is reached again through another alias.
    const target = this.aliases.get(alias) ?? this.#anchors.get(alias.source);
    if (target === undefined) return this.#fault(alias, `there is no anchor &${alias.source} before this alias`);
    if (this.#expanding.has(alias)) {
      return this.#stop(alias, `the alias *${alias.source} stands within its own anchor`);
    }
    this.aliases.set(alias, target);
    this.#expanding.add(alias);
    const value = this.read(target, depth + 1);
    this.#expanding.delete(alias);
    return value;
  }

  #readMap(map: YAMLMap, depth: number): JsonValue {
    const result: JsonObject = {};
    const merged: JsonObject = {};
    const seen = new Set<string>();
    for (const pair of map.items) {
      if (isMergeKey(pair.key)) {
        this.#merge(pair, merged, depth);
        continue;
      }
      const key = keyText(pair.key);
      // A pair's key is a node or null.
      const keyNode = pair.key as Node;
      if (key === null) this.#fault(keyNode, 'a key must be a text');
      else if (key === '__proto__') this.#fault(keyNode, 'the key __proto__ is not allowed');
      else if (seen.has(key)) this.#fault(keyNode, `the key ${JSON.stringify(key)} is written twice in one map`);
      else {
        seen.add(key);
        result[key] = this.read(pair.value, depth + 1) ?? null;
      }
    }
    return Object.keys(merged).length === 0 ? result : { ...merged, ...result };
  }

  /** `<<: *base` or `<<: [*a, *b]`: the map's own keys win, then the first of the list. */
  #merge(pair: Pair, into: JsonObject, depth: number): void {
    const value = this.read(pair.value, depth + 1);
    for (const source of Array.isArray(value) ? value : [value]) {
      if (typeof source === 'object' && source !== null && !Array.isArray(source)) {
        for (const [key, child] of Object.entries(source)) into[key] ??= child;
      } else if (source !== undefined) {
        this.#fault(pair.key as Node, 'a merge key << needs a map or a list of maps');
      }
    }
  }

  #readScalar(scalar: Scalar): JsonValue | undefined {
    const { value } = scalar;
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      return Number.isFinite(value) ? value : this.#fault(scalar, `${scalar.source ?? value} is not a finite number`);
    }
    if (typeof value === 'string') {
      return value.isWellFormed() ? value : this.#fault(scalar, 'the text has half of a surrogate pair in it');
    }
    return this.#fault(scalar, 'the value has no form in JSON');
  }

  #fault(node: Node | null, message: string): undefined {
    this.faults.push({ offset: node?.range?.[0] ?? 0, message });
  }

  #stop(node: Node, message: string): undefined {
    this.#isStopped = true;
    this.#fault(node, message);
  }
}
