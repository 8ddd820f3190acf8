import { AUTOMATIC_ANNOTATION, WORKLOAD_ANNOTATION } from '@flotilla/model';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import type { Config } from '../mesh/config.ts';
import { formatTargetPorts, TARGET_PORTS_ANNOTATION, TLS_MODE_LABEL } from '../registry/workloads.ts';

/** A WorkloadEntry as a document for galley. */
export interface EntryDocument {
  readonly apiVersion: 'networking.istio.io/v1';
  readonly kind: 'WorkloadEntry';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ports: Readonly<Record<string, number>>;
    readonly serviceAccount: string;
    readonly network: string;
    readonly locality: string;
  };
}

/** The entry that stands for a connected proxy's workload. Equal for equal proxies, whenever they connect. */
export function entryOf(node: ProxyNode): EntryDocument {
  const [first] = node.ports;
  const address = first?.bindAddress ?? node.ip;
  const isSidecar = node.type === 'sidecar';
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      namespace: node.namespace,
      name: entryName(node.workload, address, first?.bindPort),
      annotations: {
        [AUTOMATIC_ANNOTATION]: 'proxy',
        [WORKLOAD_ANNOTATION]: node.workload,
        ...(node.ports.length === 0 ? {} : { [TARGET_PORTS_ANNOTATION]: formatTargetPorts(node.ports) }),
      },
    },
    spec: {
      address,
      // A gateway's listeners take what clients of the outside send: no mesh mTLS.
      labels: { ...node.labels, ...(isSidecar ? { [TLS_MODE_LABEL]: 'istio' } : {}) },
      ports: Object.fromEntries(
        node.ports.filter(({ name }) => name !== '').map(({ name, bindPort }) => [name, bindPort]),
      ),
      serviceAccount: node.serviceAccount,
      network: node.network,
      locality: node.locality,
    },
  };
}

/** `reviews-v1-127-0-0-1-21001`: a DNS label, unique by where the proxy listens. */
function entryName(workload: string, address: string, port: number | undefined): string {
  const place = port === undefined ? address : `${address}-${port}`;
  return `${workload}-${place}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}

/** Whether galley has this entry already, as far as pilot's own words go. */
export function isSameEntry(entry: EntryDocument, existing: Config<'WorkloadEntry'>): boolean {
  const { spec } = existing;
  return (
    sameRecord(entry.spec.labels, { ...existing.labels, ...spec.labels }) &&
    sameRecord(entry.spec.ports, spec.ports) &&
    Object.entries(entry.metadata.annotations).every(([key, value]) => existing.annotations[key] === value) &&
    entry.spec.address === spec.address &&
    entry.spec.serviceAccount === spec.serviceAccount &&
    entry.spec.network === spec.network &&
    entry.spec.locality === spec.locality
  );
}

function sameRecord(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
