import type { DestinationPolicy } from '../../mesh/destination-rules.ts';

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** Labels an endpoint must carry to be in the subset: part of the rule, so its identity stands for its content. */
export function subsetLabels(destination: DestinationPolicy | null, subset: string): Readonly<Record<string, string>> {
  return destination?.subsets.find((candidate) => candidate.name === subset)?.labels ?? NO_LABELS;
}
