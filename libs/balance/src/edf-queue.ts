import type { Random } from '@flotilla/runtime';

interface Entry<T> {
  deadline: number;
  /** Ties are broken by insertion, so that equal weights go round in order. */
  order: number;
  readonly item: T;
}

/**
 * Earliest-deadline-first scheduler: each item comes up in proportion to its weight, evenly spread (the scheme of
 * Envoy's weighted balancers). The weight is asked again at every pick. O(log n).
 */
export class EdfQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #order = 0;

  constructor(items: readonly T[], weightOf: (item: T) => number, random: Random) {
    // A random phase for each: else every rebuilt queue would begin with the same heavy hosts.
    for (const item of items) this.#push({ deadline: random() / weightOf(item), order: this.#order++, item });
  }

  /** Takes the item whose turn it is, and queues it again. Null when empty. */
  next(weightOf: (item: T) => number): T | null {
    const heap = this.#heap;
    const top = heap[0];
    if (top === undefined) return null;
    top.deadline += 1 / weightOf(top.item);
    top.order = this.#order++;
    this.#siftDown(top);
    return top.item;
  }

  #push(entry: Entry<T>): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #siftDown(entry: Entry<T>): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      const left = heap[index * 2 + 1];
      if (left === undefined) break;
      const right = heap[index * 2 + 2];
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!isBefore(child, entry)) break;
      heap[index] = child;
      index = index * 2 + (isRight ? 2 : 1);
    }
    heap[index] = entry;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
