import { FAULT_CODES, isOfType, quote } from '@flotilla/model';
import type { MeshResourceOf } from '@flotilla/model';
import { destinationsOf } from '../set/references.ts';
import type { DestinationReference } from '../set/references.ts';
import type { MeshSet } from '../set/mesh-set.ts';
import type { Analyser, CrossFault } from './analyser.ts';

/** A destination names a subset that no DestinationRule of its host defines: its requests would get a 503. */
export const missingSubset: Analyser = (resource, { set, isWholeMesh }) => {
  const faults: CrossFault[] = [];
  for (const reference of destinationsOf(resource)) {
    if (reference.subset === '') continue;
    const rules = rulesOf(reference.host, set);
    const defined = rules.flatMap((rule) => rule.spec.subsets.map((subset) => subset.name));
    if (defined.includes(reference.subset)) continue;
    const isKnown = isWholeMesh || rules.length > 0;
    faults.push({
      causes: rules.map((rule) => rule.key),
      fault: {
        severity: isKnown ? 'error' : 'warning',
        code: FAULT_CODES.missingReference,
        path: [...reference.path, 'subset'],
        subject: 'value',
        message: `no DestinationRule for ${reference.host} defines the subset ${quote(reference.subset)}`,
        hint: hintFor(reference, rules, [...new Set(defined)]),
      },
    });
  }
  return faults;
};

function rulesOf(host: string, set: MeshSet): readonly MeshResourceOf<'DestinationRule'>[] {
  return set.destinationRules.covering(host).flatMap((key) => {
    const typed = set.getByText(key)?.typed;
    return typed !== undefined && isOfType(typed, 'DestinationRule') ? [typed] : [];
  });
}

function hintFor(
  { host, subset }: DestinationReference,
  rules: readonly MeshResourceOf<'DestinationRule'>[],
  defined: readonly string[],
): string {
  const [rule] = rules;
  if (rule === undefined) return `Apply a DestinationRule for ${host} with the subset first, or together with this.`;
  const where = `DestinationRule ${rule.key.namespace}/${rule.key.name}`;
  return defined.length === 0
    ? `Add the subset ${quote(subset)} to ${where}.`
    : `Defined in ${where}: ${defined.join(', ')}.`;
}
