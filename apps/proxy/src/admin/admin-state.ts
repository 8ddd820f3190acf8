import type { Clock } from '@flotilla/runtime';
import type { LogLevel } from '@flotilla/observe';
import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { ProxyConfig } from '../config/proxy-config.ts';
import type { SecretTable } from '../identity/secret-table.ts';
import type { TagNames } from '../observe/prometheus.ts';
import type { Labels, RegisteredMetric, StatsRegistry } from '../base/stats.ts';
import type { ClusterDescription } from '../upstream/describe.ts';

/** All that the administration pages show and change. */
export interface AdminState {
  readonly bootstrap: Bootstrap;
  readonly config: ProxyConfig;
  readonly secrets: SecretTable;
  /** Of this process. */
  readonly stats: StatsRegistry;
  /** Of all workers together. */
  allStats(): Promise<readonly RegisteredMetric[]>;
  clusters(): readonly ClusterDescription[];
  listeners(): readonly { readonly name: string; readonly host: string; readonly port: number }[];
  readonly tags: TagNames;
  readonly fixedTags: Labels;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly version: string;
  readonly concurrency: number;
  readonly configPath: string;
  isReady(): boolean;
  isDraining(): boolean;
  /** Connections finish what they do and close. */
  drain(): void;
  /** Stops the process, if it runs on its own. */
  quit(): void;
  readonly log: { level(): LogLevel; setLevel(level: LogLevel): void };
  /** `/healthcheck/fail` was asked for. */
  health: { isFailing: boolean };
}
