/** So many changes, as a part of the list, are cheaper by sorting it anew. */
const FEW = 1 / 8;

/**
 * A sorted list without some of its elements and with others: the same list when that changes nothing. `compare` tells
 * any two elements apart.
 */
export function changeSorted<Element>(
  list: readonly Element[],
  removed: readonly Element[],
  added: readonly Element[],
  compare: (a: Element, b: Element) => number,
): readonly Element[] {
  if (removed.length === 0 && added.length === 0) return list;
  if (removed.length + added.length > list.length * FEW) {
    const gone = new Set(removed);
    return [...list.filter((element) => !gone.has(element)), ...added].sort(compare);
  }
  const changed = [...list];
  for (const element of removed) {
    const at = placeOf(changed, element, compare);
    if (changed[at] === element) changed.splice(at, 1);
  }
  for (const element of added) changed.splice(placeOf(changed, element, compare), 0, element);
  return changed;
}

/** Index of the first element that does not come before it. */
function placeOf<Element>(
  list: readonly Element[],
  element: Element,
  compare: (a: Element, b: Element) => number,
): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    // Within the list.
    if (compare(list[middle] as Element, element) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
