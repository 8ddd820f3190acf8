import type { LocalNode } from '../base/local-node.ts';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { Clock, Random } from '@flotilla/runtime';
import type { Surroundings } from '@flotilla/format';
import type { Logger } from '@flotilla/observe';
import type { RouteTable } from '@flotilla/route';
import type { SecretStore } from './secret-store.ts';
import type { StatsRegistry } from '../base/stats.ts';
import type { ClusterManager } from './cluster-manager.ts';

/** Finds the present table of an RDS name; null while it has not arrived. */
export interface RouteTables {
  get(name: string): RouteTable | null;
}

/** Finds the present configuration of a filter by its ECDS name; null while it has not arrived. */
export interface Extensions {
  get(name: string): Any | null;
}

/** What compiled configuration may reach at run time. One per proxy process (or worker). */
export interface ProxyContext {
  readonly clusters: ClusterManager;
  readonly routes: RouteTables;
  readonly extensions: Extensions;
  readonly secrets: SecretStore;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: LocalNode;
  /** What formats tell of this process. */
  readonly surroundings: Surroundings;
}
