import { AUTOMATIC_ANNOTATION, CONTROLLER_ANNOTATION, type ResourceKey, WORKLOAD_ANNOTATION } from '@flotilla/model';
import {
  type Config,
  formatTargetPorts,
  type ProxyNode,
  TARGET_PORTS_ANNOTATION,
  TLS_MODE_LABEL,
} from '@flotilla/translate';

/** Value of the annotation that marks an entry as automatic: it stands for a proxy. */
export const AUTOMATIC = 'proxy';

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

/**
 * The entry that stands for the workload of a proxy that is connected to this pilot. Equal for equal proxies, whenever
 * they connect.
 */
export function entryOf(node: ProxyNode, pilotId: string): EntryDocument {
  const [first] = node.ports;
  // Where a proxy listens on every address, it is reached at its own.
  const address = first === undefined || isUnspecified(first.bindAddress) ? node.ip : first.bindAddress;
  const isSidecar = node.type === 'sidecar';
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      namespace: node.namespace,
      name: entryName(node.workload, address, first?.bindPort),
      annotations: {
        [AUTOMATIC_ANNOTATION]: AUTOMATIC,
        [CONTROLLER_ANNOTATION]: pilotId,
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

/** The same entry without a controller: nobody removes it before it counts as left behind. */
export function released(entry: EntryDocument): EntryDocument {
  const { [CONTROLLER_ANNOTATION]: _, ...annotations } = entry.metadata.annotations;
  return { ...entry, metadata: { ...entry.metadata, annotations } };
}

export function isReleased(entry: EntryDocument): boolean {
  return entry.metadata.annotations[CONTROLLER_ANNOTATION] === undefined;
}

export function keyOf(entry: EntryDocument): ResourceKey {
  const { namespace, name } = entry.metadata;
  return { group: 'networking.istio.io', kind: 'WorkloadEntry', namespace, name };
}

/** Id of the pilot that an entry says controls it, `''` for none. */
export function controllerOf(entry: Config<'WorkloadEntry'>): string {
  return entry.annotations[CONTROLLER_ANNOTATION] ?? '';
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === '';
}

/** `reviews-v1-127-0-0-1-21001`: a DNS label, unique by where the proxy listens. */
function entryName(workload: string, address: string, port: number | undefined): string {
  const place = port === undefined ? address : `${address}-${port}`;
  return (
    `${workload}-${place}`
      .toLowerCase()
      // Each by one of its own: the zeros that an IPv6 address leaves out stand in different places.
      .replaceAll(/[^a-z0-9-]/g, '-')
      .replaceAll(/^-+|(?<!-)-+$/g, '')
  );
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
