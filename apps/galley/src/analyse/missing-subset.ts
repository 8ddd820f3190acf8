import { destinationsOf, FAULT_CODES, quote } from '@flotilla/model';
import type { DestinationReference, MeshResourceOf } from '@flotilla/model';
import { defineAnalyser } from './analyser.ts';
import type { CrossFault } from './analyser.ts';
import { DESTINATION_SUBSETS } from './readings.ts';

/** A destination names a subset that no DestinationRule of its host defines: its requests would get a 503. */
export const missingSubset = defineAnalyser({
  kind: 'VirtualService',
  reads: { subsets: DESTINATION_SUBSETS },
  needsWholeMesh: false,
  analyse(resource, { subsets }, { isWholeMesh }) {
    const faults: CrossFault[] = [];
    for (const reference of destinationsOf(resource)) {
      if (reference.subset === '') continue;
      const defined = subsets.of(reference.host);
      if (defined.has(reference.subset)) continue;
      const isKnown = isWholeMesh || defined.first !== undefined;
      faults.push({
        causes: defined.rules,
        fault: {
          severity: isKnown ? 'error' : 'warning',
          code: FAULT_CODES.missingReference,
          path: [...reference.path, 'subset'],
          subject: 'value',
          message: `no DestinationRule for ${reference.host} defines the subset ${quote(reference.subset)}`,
          hint: hintFor(reference, defined.first),
        },
      });
    }
    return faults;
  },
});

/** Subsets that a hint names: one of them may be what was meant. */
const NAMED = 20;

function hintFor({ host, subset }: DestinationReference, rule: MeshResourceOf<'DestinationRule'> | undefined): string {
  if (rule === undefined) return `Apply a DestinationRule for ${host} with the subset first, or together with this.`;
  const where = `DestinationRule ${rule.key.namespace}/${rule.key.name}`;
  const { subsets } = rule.spec;
  if (subsets.length === 0) return `Add the subset ${quote(subset)} to ${where}.`;
  const names = subsets.slice(0, NAMED).map(({ name }) => name);
  const more = subsets.length > names.length ? `, and ${subsets.length - names.length} more` : '';
  return `Defined in ${where}: ${names.join(', ')}${more}.`;
}
