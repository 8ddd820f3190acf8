import { isAlias, isMap, isNode, isSeq } from 'yaml';
import type { Alias, Node, Pair, YAMLMap } from 'yaml';
import type { Fault, FieldPath } from '../decode/fault.ts';
import { isMergeKey, keyText } from './to-value.ts';

/**
 * Offset of a field in its text. Scalars are found at their value, lists and maps at their key, so that the position
 * names the line a reader looks for; what does not exist is found at its nearest ancestor.
 */
export function locateIn(root: Node | null, aliases: Aliases, path: FieldPath, subject: Fault['subject']): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    const isLast = index === path.length - 1;
    const container = isAlias(node) ? aliases.get(node) : node;
    if (isSeq(container) && typeof step === 'number') {
      const item: unknown = container.items[step];
      if (!isNode(item)) return offset;
      node = item;
      offset = item.range?.[0] ?? offset;
      continue;
    }
    const pair = isMap(container) ? findPair(container, String(step), aliases) : null;
    if (pair === null) return offset;
    const keyOffset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
    node = pair.value;
    const isCollection = isMap(node) || isSeq(node) || !isNode(node) || isEmpty(node);
    offset =
      (isLast && subject === 'key') || isCollection || !isNode(node) ? keyOffset : (node.range?.[0] ?? keyOffset);
  }
  return offset;
}

/** Whether nothing is written after the key. */
function isEmpty(node: Node): boolean {
  return node.range !== undefined && node.range !== null && node.range[0] === node.range[1];
}

type Aliases = ReadonlyMap<Alias, Node>;

/** What each map has, merged keys included: made when a place in the map is asked for, so that the next costs nothing. */
const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

function findPair(map: YAMLMap, key: string, aliases: Aliases): Pair | null {
  return indexOf(map, aliases).get(key) ?? null;
}

/** A map's own keys win, then the first of those that it merges. Of a key that is written twice, the first counts. */
function indexOf(map: YAMLMap, aliases: Aliases): ReadonlyMap<string, Pair> {
  const known = indexes.get(map);
  if (known !== undefined) return known;
  const index = new Map<string, Pair>();
  // Set before the merges are followed: one that leads back here finds what there is, and ends.
  indexes.set(map, index);
  for (const pair of map.items) {
    const key = isMergeKey(pair.key) ? null : keyText(pair.key);
    if (key !== null && !index.has(key)) index.set(key, pair);
  }
  for (const pair of map.items) {
    if (!isMergeKey(pair.key)) continue;
    for (const source of isSeq(pair.value) ? pair.value.items : [pair.value]) {
      const target = isAlias(source) ? aliases.get(source) : source;
      if (!isMap(target)) continue;
      for (const [key, merged] of indexOf(target, aliases)) if (!index.has(key)) index.set(key, merged);
    }
  }
  return index;
}
