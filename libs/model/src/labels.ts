export type Labels = Readonly<Record<string, string>>;

/**
 * Whether `labels` has every entry of `selector`. An empty selector matches everything, as in Istio's workload
 * selectors; a Kubernetes Service without a selector selects nothing, which its owner decides before asking.
 */
export function labelsMatch(selector: Labels, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector)) {
    if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
  }
  return true;
}
