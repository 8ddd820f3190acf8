import { formatKey } from '@flotilla/model';
import type { AnyMeshResource } from '@flotilla/model';
import { affectedBy, analyseResource, identityOf } from '../analyse/analyse.ts';
import type { CrossFinding, Locators } from '../analyse/analyse.ts';
import type { MeshSet, SetChange } from '../set/mesh-set.ts';

export interface Judgement {
  /** Of the changed resources themselves. */
  readonly own: readonly CrossFinding[];
  /** Of other resources, which they did not have before. */
  readonly others: readonly CrossFinding[];
}

/**
 * What analysis would say of a set with the changes that it does not say of it now. The set is left as it was. Looks at
 * the changed resources and at those that name them, not at the whole set.
 */
export function judge(
  changes: readonly SetChange[],
  set: MeshSet,
  options: { readonly isWholeMesh: boolean; readonly locators: Locators },
): Judgement {
  const scope = { set, isWholeMesh: options.isWholeMesh };
  const before = changes.flatMap((change): readonly AnyMeshResource[] => {
    const entry = set.get(change.type === 'put' ? change.entry.resource.key : change.key);
    return entry === undefined ? [] : [entry.typed];
  });
  const changed = new Set(changes.map((c) => formatKey(c.type === 'put' ? c.entry.resource.key : c.key)));
  const analyseKeys = (keys: Iterable<string>): readonly CrossFinding[] =>
    [...keys].flatMap((key) => {
      const entry = set.getByText(key);
      return entry === undefined ? [] : analyseResource(entry.typed, scope, options.locators);
    });

  const undo = set.apply(changes);
  const others = [...affectedBy(changes, set, before)].filter((key) => !changed.has(key));
  const own = analyseKeys(changed);
  const after = analyseKeys(others);
  undo();

  const known = new Set(analyseKeys(others).map(({ finding }) => identityOf(finding)));
  return { own, others: after.filter(({ finding }) => !known.has(identityOf(finding))) };
}
