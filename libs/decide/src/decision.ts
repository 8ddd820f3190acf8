import type { EndpointChance } from '@flotilla/cluster';
import type { Verdict } from '@flotilla/policy';
import type { PassedOver } from '@flotilla/route';

/** How far a request or a connection gets, station by station; null: it does not get there. */
export interface Decision {
  /** Null: no listener has the address. */
  readonly listener: string | null;
  /** Null: no chain fits. An unnamed one is called by its field. */
  readonly filterChain: string | null;
  /** Names of the network filters, the last takes the connection. */
  readonly networkFilters: readonly string[];
  /** Null: the chain does not carry HTTP, or nobody asked for a request. */
  readonly http: HttpDecision | null;
  /** Null: it ends before. */
  readonly upstream: UpstreamDecision | null;
}

export interface HttpDecision {
  readonly routeConfig: string;
  readonly virtualHost: string | null;
  /** Null: no route takes the request (Envoy: 404 NR). */
  readonly route: RouteDecision | null;
  /** Routes of the virtual host that stand before, and do not take it. */
  readonly passedOver: readonly PassedOver[];
  readonly filters: readonly FilterDecision[];
}

export type RouteDecision =
  | { readonly kind: 'direct'; readonly name: string; readonly status: number; readonly body: string }
  | { readonly kind: 'redirect'; readonly name: string; readonly status: number; readonly location: string }
  | {
      readonly kind: 'forward';
      readonly name: string;
      /** As they go upstream. */
      readonly path: string;
      readonly authority: string;
      /** Milliseconds; 0: no limit. */
      readonly timeoutMs: number;
      /** Milliseconds; 0: no limit; null: the connection manager's. */
      readonly idleTimeoutMs: number | null;
      /** Null: one try. */
      readonly retries: { readonly attempts: number; readonly perTryTimeoutMs: number } | null;
      readonly mirrors: readonly string[];
    };

export interface FilterDecision {
  readonly name: string;
  /** Of its configuration; empty: it has none here (discovered by name). */
  readonly typeName: string;
  /** `off`: it does not run on this route. `runs`: what it does is not decided ahead. */
  readonly verdict: 'off' | 'runs' | Verdict;
}

export interface UpstreamDecision {
  readonly cluster: string;
  /** False: there is none of this name (Envoy: 503 NC). */
  readonly exists: boolean;
  /** None: 503 UH, or hosts are found in another way (DNS, original destination). */
  readonly endpoints: readonly EndpointChance[];
}
