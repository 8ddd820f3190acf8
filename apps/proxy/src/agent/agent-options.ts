import type { Clock, Random, SocketAddress } from '@flotilla/runtime';
import type { LogBounds } from '@flotilla/runtime/disk';
import type { Logger } from '@flotilla/observe';

/** A port of the workload whose real place differs from the declared one (node metadata `FLOTILLA_PORTS`). */
export interface AgentPort {
  readonly name: string;
  /** Sidecar: the workload's declared port. Gateway: number of a Gateway server's port. */
  readonly port: number;
  /** `HTTP`, `TCP`, …; empty: from the name's prefix, as Kubernetes Services have it. */
  readonly protocol: string;
  readonly bindAddress: string;
  readonly bindPort: number;
  readonly appAddress: string;
  /** 0 for gateways. */
  readonly appPort: number;
}

/** Who the proxy is and where its control plane is. */
export interface AgentOptions {
  readonly kind: 'sidecar' | 'router';
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Addresses under which others reach the workload, the one that it is registered with first. */
  readonly ips: readonly [string, ...string[]];
  readonly ports: readonly AgentPort[];
  /** `NONE`: the application is told where its proxy listens. `REDIRECT`: iptables. */
  readonly interceptionMode: 'NONE' | 'REDIRECT';
  /** Port of the HTTP forward proxy on 127.0.0.1; null for none. */
  readonly httpProxyPort: number | null;
  /** Port 0 takes a free one. */
  readonly admin: SocketAddress;
  /** Names of the administration port beside those that are known by themselves. */
  readonly httpHosts?: readonly string[];
  /** The administration port may be off loopback. */
  readonly allowPlaintext?: boolean;
  readonly discovery: {
    /** Of one pilot, or of several, which are tried in turn. A name may stand for several too. */
    readonly addresses: readonly [SocketAddress, ...SocketAddress[]];
    /** Default: `istiod` in `istio-system` of the trust domain. */
    readonly spiffeId?: string;
  };
  readonly ca: {
    readonly url: string;
    /** Roots that citadel is verified with before there is a certificate to say so. */
    readonly rootPem?: string;
    /** Default: `istiod` in `istio-system` of the trust domain. */
    readonly spiffeId?: string;
  };
  /** Bootstrap token; a function is asked each time one is needed. */
  readonly token: string | (() => string | null);
  readonly certificateTtlMs: number;
  readonly trustDomain: string;
  readonly meshId?: string;
  readonly clusterId?: string;
  /** Stock Envoy to run instead of the own data plane. */
  readonly envoy?: string;
  /** Threads of stock Envoy; the own data plane of an agent is one process, and refuses more than 1. */
  readonly concurrency?: number;
  /** Gives up waiting for the first certificate. */
  readonly signal?: AbortSignal;
  /** How much is kept of access logs in files. */
  readonly logBounds?: LogBounds;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}
