import type { Host, Network } from './network.ts';

export interface WorkloadPlan {
  readonly name: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** Program and arguments of the application; none: a place to run clients in. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Which of its addresses is registered. Default 4. */
  readonly registeredFamily?: 4 | 6;
  /** `none`: neither proxy nor capture. Default: the own proxy, captured. */
  readonly proxy?: 'flotilla' | 'none' | { readonly envoy: string };
  readonly captureSettings?: readonly string[];
  /** `none`: the application is told where its proxy is; nothing is captured. Default `redirect`. */
  readonly interception?: 'redirect' | 'none';
  /** More settings of the agent. */
  readonly agentSettings?: readonly string[];
}

export interface GatewayPlan {
  readonly name: string;
  readonly port: number;
  /** More settings of the agent. */
  readonly agentSettings?: readonly string[];
}

export interface MeshPlan {
  /** Directories of YAML. */
  readonly directories?: readonly string[];
  /** More YAML. */
  readonly config: (network: Network) => string;
  /** Names that every namespace knows, and their addresses. */
  readonly names: (network: Network, hosts: ReadonlyMap<string, Host>) => Readonly<Record<string, readonly string[]>>;
  /** Fields of MeshConfig, beside the access log. */
  readonly meshConfig?: Readonly<Record<string, unknown>>;
  readonly workloads: readonly WorkloadPlan[];
  readonly gateway?: GatewayPlan;
  /** What proxies dial in the place of an address of the control plane (`host:port`). */
  readonly dialledBy?: (address: string, network: Network) => Promise<string>;
}
