/** A mesh file, decoded: what `flotilla up` runs. Paths are absolute, every default is filled in. */
export interface MeshFile {
  /** The file itself, for messages. */
  readonly path: string;
  readonly name: string;
  readonly trustDomain: string;
  /** Lifetime of workload certificates in milliseconds. */
  readonly certificateTtlMs: number;
  /** Directories of Istio and Kubernetes YAML, watched. */
  readonly configDirectories: readonly string[];
  /** A MeshConfig YAML file, or null for Istio's defaults. */
  readonly meshConfigFile: string | null;
  readonly gateways: readonly GatewayEntry[];
  readonly workloads: readonly WorkloadEntry[];
}

export interface WorkloadIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `flotilla`, or `envoy` for stock Envoy with Flotilla's agent beside it. */
  readonly proxy: 'flotilla' | 'envoy';
}

export interface GatewayEntry extends WorkloadIdentity {
  readonly kind: 'gateway';
  readonly ports: readonly GatewayPort[];
}

export interface GatewayPort {
  /** Port number that `Gateway` resources name. */
  readonly port: number;
  /** Port that really listens; 0 takes a free one. */
  readonly listen: number;
}

export interface WorkloadEntry extends WorkloadIdentity {
  readonly kind: 'workload';
  /** Name of the Kubernetes Service that this workload belongs to; null for a pure client. */
  readonly service: string | null;
  readonly ports: readonly WorkloadPort[];
  /** Program and arguments; `${PORT}` stands for the application's port. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Working directory of the command. */
  readonly directory: string;
}

export interface WorkloadPort {
  /** Name with the protocol as its first part, such as `http` or `tcp-db`, as in a Kubernetes Service. */
  readonly name: string;
  /** The port that others call: the Service's. */
  readonly port: number;
  /** Port on which the application listens; 0 takes a free one, given to it as `PORT`. */
  readonly appPort: number;
}
