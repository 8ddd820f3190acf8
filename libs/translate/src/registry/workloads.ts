import { WORKLOAD_ANNOTATION } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';
import type { Workload } from './service.ts';
import { clusterOf, networkOf } from './topology.ts';

/** Annotation of an automatic WorkloadEntry: declared (target) port to real port, as `9080=21001,9090=21003`. */
export const TARGET_PORTS_ANNOTATION = 'flotilla.io/target-ports';

/** Label by which a workload says that it takes mesh mTLS. */
export const TLS_MODE_LABEL = 'security.istio.io/tlsMode';

const known = new WeakMap<Config<'WorkloadEntry'>, Workload>();

/**
 * A WorkloadEntry as something that serves: one object for one entry. Labels may stand in its metadata or its spec; the
 * spec wins.
 */
export function workloadOf(entry: Config<'WorkloadEntry'>): Workload {
  const workload = known.get(entry) ?? readWorkload(entry);
  known.set(entry, workload);
  return workload;
}

function readWorkload(entry: Config<'WorkloadEntry'>): Workload {
  const { spec, key } = entry;
  const labels = { ...entry.labels, ...spec.labels };
  return {
    name: entry.annotations[WORKLOAD_ANNOTATION] ?? key.name,
    namespace: key.namespace,
    address: spec.address.replace(/^unix:\/\//, ''),
    labels,
    serviceAccount: spec.serviceAccount || 'default',
    locality: spec.locality,
    network: networkOf(labels, spec.network),
    cluster: clusterOf(labels, ''),
    weight: spec.weight || 1,
    portsByName: spec.ports,
    portsByTarget: targetPorts(entry.annotations[TARGET_PORTS_ANNOTATION] ?? ''),
    hasSidecar: labels[TLS_MODE_LABEL] === 'istio',
  };
}

function targetPorts(text: string): Readonly<Record<string, number>> {
  const ports: Record<string, number> = {};
  for (const [, target = '', real] of text.matchAll(/(?<!\d)(\d+)=(\d+)/g)) ports[target] = Number(real);
  return ports;
}

export function formatTargetPorts(ports: readonly { readonly port: number; readonly bindPort: number }[]): string {
  return ports.map(({ port, bindPort }) => `${port}=${bindPort}`).join();
}
