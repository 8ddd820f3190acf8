import { isAlias, isMap, isNode, isSeq } from 'yaml';
import type { Alias, Node, Pair, YAMLMap } from 'yaml';
import type { Fault, FieldPath } from '../decode/fault.ts';
import { isMergeKey, keyText } from './to-value.ts';

/**
 * Offset of a field in its text. Scalars are found at their value, lists and maps at their key, so that the position
 * names the line a reader looks for; what does not exist is found at its nearest ancestor.
 */
export function locateIn(
  root: Node | null,
  aliases: ReadonlyMap<Alias, Node>,
  path: FieldPath,
  subject: Fault['subject'],
): number {
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
    const pair = isMap(container) ? findPair(container, String(step), aliases, 0) : null;
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

// A merge within a merge within a merge is as far as positions follow.
const MAX_MERGES = 3;

function findPair(map: YAMLMap, key: string, aliases: ReadonlyMap<Alias, Node>, merges: number): Pair | null {
  const own = map.items.find((pair) => !isMergeKey(pair.key) && keyText(pair.key) === key);
  if (own !== undefined) return own;
  if (merges >= MAX_MERGES) return null;
  for (const pair of map.items) {
    if (!isMergeKey(pair.key)) continue;
    for (const source of isSeq(pair.value) ? pair.value.items : [pair.value]) {
      const target = isAlias(source) ? aliases.get(source) : source;
      const found = isMap(target) ? findPair(target, key, aliases, merges + 1) : null;
      if (found !== null) return found;
    }
  }
  return null;
}
