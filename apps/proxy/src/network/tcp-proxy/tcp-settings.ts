import type { ProxyContext } from '../../ports/context.ts';
import type { AccessLog } from '@flotilla/stream';
import type { TunnelSettings } from './http-tunnel.ts';
import type { Counter } from '../../base/stats.ts';

export interface WeightedName {
  readonly name: string;
  readonly weight: number;
}

/** A TCP proxy, compiled. */
export interface TcpSettings {
  readonly ctx: ProxyContext;
  readonly clusters: readonly WeightedName[];
  readonly totalWeight: number;
  readonly maxConnectAttempts: number;
  /** Null: connections go to the upstream as they are. */
  readonly tunnel: TunnelSettings | null;
  /** Balancers by hash go by the client's address (`hash_policy: source_ip`). */
  readonly hashesSource: boolean;
  /** 0: no limit. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxDurationMs: number;
  /** Told once of each connection: when its upstream is there, or when it is over without. Null for nobody. */
  readonly opened: AccessLog | null;
  readonly records: readonly AccessLog[];
  readonly stats: {
    readonly connections: Counter;
    readonly noRoute: Counter;
    readonly received: Counter;
    readonly sent: Counter;
    readonly idleTimeouts: Counter;
    readonly durationReached: Counter;
  };
}

/** Chooses by weight. `random` in [0,1). */
export function pickWeighted(settings: TcpSettings, random: number): string {
  let left = random * settings.totalWeight;
  for (const { name, weight } of settings.clusters) {
    left -= weight;
    if (left < 0) return name;
  }
  return settings.clusters.at(-1)?.name ?? '';
}
