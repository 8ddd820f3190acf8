import type { NeededResource, NeededExtension } from '../ports/needed-resources.ts';
import type { FilterChainFinder, RouteTable } from '@flotilla/route';
import type { AccessLog } from '@flotilla/stream';
import type { Counter, Gauge } from '../base/stats.ts';
import type { NetworkFilter } from '../ports/accepted-connection.ts';
import type { ProxyProtocolSettings } from './proxy-header.ts';
import type { SniffSettings } from './sniff.ts';
import type { TlsAcceptor } from './tls.ts';

/** One filter chain: optional TLS, then the network filter that takes the connection. */
export interface FilterChain {
  readonly name: string;
  /** Equal for chains of equal configuration: their connections outlive a listener update. */
  readonly fingerprint: string;
  readonly tls: TlsAcceptor | null;
  readonly filter: NetworkFilter;
}

export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
  /** `::` takes IPv4 clients too (Envoy's `ipv4_compat`). */
  readonly isIpv4Too?: boolean;
}

/** A `Listener`, compiled. Immutable; connections keep the chain that they began with. */
export interface CompiledListener {
  readonly name: string;
  readonly addresses: readonly ListenerAddress[];
  /** False: takes only connections that another listener hands over by their original destination. */
  readonly bindsToPort: boolean;
  /** Its connections do not count towards the limit of all listeners. */
  readonly ignoresGlobalLimit: boolean;
  /** … nor towards it when the overload manager sets it. */
  readonly bypassesOverloadManager: boolean;
  /** Asks for the original destination and hands over to the listener that stands for it. */
  readonly handsOver: boolean;
  readonly readsOriginalDestination: boolean;
  /** For outbound traffic of the local workload, which is served until everything else has drained. */
  readonly isOutbound: boolean;
  /** By the port that the client dialled. Null: the first bytes are of no interest. */
  readonly sniffOf: (destinationPort: number) => SniffSettings | null;
  /** Connections begin with a PROXY header. Null: they do not. */
  readonly proxyProtocol: ProxyProtocolSettings | null;
  readonly findChain: FilterChainFinder<FilterChain>;
  readonly chains: readonly FilterChain[];
  readonly backlog: number | null;
  readonly accessLogs: readonly AccessLog[];
  /** By RDS name; warming waits for them. */
  readonly neededRoutes: ReadonlyMap<string, NeededResource>;
  /** By ECDS name, likewise. */
  readonly neededExtensions: ReadonlyMap<string, NeededExtension>;
  readonly inlineRouteConfigs: readonly RouteTable[];
  /** Clusters of TCP proxies. */
  readonly clusterNames: ReadonlySet<string>;
  readonly secretNames: ReadonlySet<string>;
  readonly stats: ListenerStats;
}

export interface ListenerStats {
  readonly prefix: string;
  readonly connections: Counter;
  readonly active: Gauge;
  readonly destroyed: Counter;
  readonly noFilterChainMatch: Counter;
  readonly preConnectionTimeout: Counter;
  /** Refused by the limit of all listeners. */
  readonly globalOverflow: Counter;
}
