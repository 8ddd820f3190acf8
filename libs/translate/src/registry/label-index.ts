import { labelsMatch } from '@flotilla/model';

interface Labelled {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Finds things by namespace and labels without looking at all of them. */
export class LabelIndex<Thing extends Labelled> {
  readonly #byLabel = new Map<string, Thing[]>();
  readonly #byNamespace = new Map<string, Thing[]>();

  constructor(things: Iterable<Thing>) {
    for (const thing of things) {
      append(this.#byNamespace, thing.namespace, thing);
      for (const [key, value] of Object.entries(thing.labels)) {
        append(this.#byLabel, labelKey(thing.namespace, key, value), thing);
      }
    }
  }

  /** Those of a namespace that carry every label of the selector, in the order of the index. `null` selects none. */
  select(namespace: string, selector: Readonly<Record<string, string>> | null): readonly Thing[] {
    if (selector === null) return [];
    let candidates: readonly Thing[] = this.#byNamespace.get(namespace) ?? [];
    for (const [key, value] of Object.entries(selector)) {
      const bearing = this.#byLabel.get(labelKey(namespace, key, value)) ?? [];
      if (bearing.length < candidates.length) candidates = bearing;
    }
    return candidates.filter((thing) => labelsMatch(selector, thing.labels));
  }
}

function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace}/${key}=${value}`;
}

function append<Thing>(lists: Map<string, Thing[]>, key: string, thing: Thing): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [thing]);
  else list.push(thing);
}
