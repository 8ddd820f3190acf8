import type { PortProtocol } from '@flotilla/model';

export interface ServicePort {
  readonly name: string;
  readonly number: number;
  /** Port of the workload: a number, or the name of one of its ports. */
  readonly target: number | string;
  readonly protocol: PortProtocol;
}

/**
 * How endpoints are found: `eds` pilot names them; `dns` and `dns-round-robin` the proxy resolves their names;
 * `original-destination` the address that the client dialled.
 */
export type Resolution = 'eds' | 'dns' | 'dns-round-robin' | 'original-destination';

/** A name that clients call, without its endpoints. */
export interface Service {
  /** `<source kind>/<namespace>/<name>/<hostname>`. */
  readonly id: string;
  readonly hostname: string;
  /** Short name: the Kubernetes service's, or the hostname of a ServiceEntry. */
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  /** Virtual addresses; CIDR blocks for a ServiceEntry. Empty: the port alone decides. */
  readonly addresses: readonly string[];
  readonly resolution: Resolution;
  /** Kubernetes' `clusterIP: None`: clients dial endpoints by address. */
  readonly isHeadless: boolean;
  readonly isExternal: boolean;
  readonly source: 'kubernetes' | 'service-entry';
  /** Namespaces that see it; `*` all, `.` its own, `~` none. */
  readonly exportTo: readonly string[];
  /** Labels that its workloads carry, `null` without a selector. */
  readonly selector: Readonly<Record<string, string>> | null;
  /** Names that a server certificate may bear: the identities of its workloads, or what the ServiceEntry says. */
  readonly subjectAltNames: readonly string[];
  readonly createdAtMs: number;
  /** The cluster whose configuration it is of, as Istio names it. */
  readonly cluster: string;
  /** The network that it leads into, "" where it does not say. */
  readonly network: string;
}

/** Where one port of a service is served. */
export interface Endpoint {
  /** IP, host name (for DNS) or absolute path of a Unix socket. */
  readonly address: string;
  /** 0 with a Unix socket. */
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `istio`: it takes mesh mTLS. */
  readonly tlsMode: 'istio' | 'disabled';
  readonly weight: number;
  /** `region/zone/subzone`, "" when unknown. */
  readonly locality: string;
  /** Whose members reach each other directly; "" where nobody says. */
  readonly network: string;
  /** The cluster it runs in, as Istio names it. */
  readonly cluster: string;
}

/** The endpoints of one service, by service port number. Replaced as a whole when any changes. */
export interface EndpointSet {
  readonly serviceId: string;
  readonly hostname: string;
  readonly byPort: ReadonlyMap<number, readonly Endpoint[]>;
}

/** Something that serves: a pod, or a WorkloadEntry. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly locality: string;
  readonly network: string;
  /** "" where its labels do not say. */
  readonly cluster: string;
  readonly weight: number;
  /** Port by service port name. */
  readonly portsByName: Readonly<Record<string, number>>;
  /** Real port by declared (target) port, where they differ. */
  readonly portsByTarget: Readonly<Record<string, number>>;
  readonly hasSidecar: boolean;
}
