const identities = new WeakMap<object, number>();
let last = 0;

/** A number that stands for an object as long as it lives: the same object, the same number; never one of another. */
export function identityOf(object: object): number {
  const known = identities.get(object);
  if (known !== undefined) return known;
  last += 1;
  identities.set(object, last);
  return last;
}

/** One text for texts in a row, unlike that of any other row. */
export function keyOf(texts: readonly string[]): string {
  return texts.map((text) => `${text.length}:${text}`).join('');
}

/**
 * What was made from two objects, for as long as both live; made at the first asking. Neither may change what comes of
 * them: both are immutable.
 */
export class PairMemo<First extends object, Second extends object, Value> {
  readonly #known = new WeakMap<First, WeakMap<Second, Value>>();
  readonly #make: (first: First, second: Second) => Value;

  constructor(make: (first: First, second: Second) => Value) {
    this.#make = make;
  }

  get(first: First, second: Second): Value {
    let bySecond = this.#known.get(first);
    if (bySecond === undefined) {
      bySecond = new WeakMap();
      this.#known.set(first, bySecond);
    }
    if (bySecond.has(second)) return bySecond.get(second) as Value; // It is there.
    const value = this.#make(first, second);
    bySecond.set(second, value);
    return value;
  }
}

/** The same for what is made from one object. */
export class Memo<Key extends object, Value> {
  readonly #known = new WeakMap<Key, Value>();
  readonly #make: (key: Key) => Value;

  constructor(make: (key: Key) => Value) {
    this.#make = make;
  }

  get(key: Key): Value {
    if (this.#known.has(key)) return this.#known.get(key) as Value; // It is there.
    const value = this.#make(key);
    this.#known.set(key, value);
    return value;
  }
}
