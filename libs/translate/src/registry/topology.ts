/** Labels by which workloads and Services say where they are, as in Istio. */
export const NETWORK_LABEL = 'topology.istio.io/network';
export const CLUSTER_LABEL = 'topology.istio.io/cluster';

type Labels = Readonly<Record<string, string>>;

/** The network of what carries these labels: what it says itself, its label, or "" for the mesh's only one. */
export function networkOf(labels: Labels, written = ''): string {
  return written || (labels[NETWORK_LABEL] ?? '');
}

/** The cluster of what carries these labels: its label, or where its configuration is from. */
export function clusterOf(labels: Labels, ofConfiguration: string): string {
  return labels[CLUSTER_LABEL] ?? ofConfiguration;
}
