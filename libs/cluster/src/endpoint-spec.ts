import type { FilterMetadata, PeerMetadata } from '@flotilla/stream';

/** Where a connection goes. `path` is a Unix socket's; host and port are then unused. */
export interface DialTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string | null;
}

export type HostHealth = 'healthy' | 'degraded' | 'unhealthy';

/** `health_check_config` of an endpoint. */
export interface EndpointCheck {
  /** 0: the endpoint's own. */
  readonly port: number;
  /** Empty: the check's own. */
  readonly hostname: string;
  readonly isDisabled: boolean;
}

/** What an update says of one endpoint. */
export interface EndpointSpec extends DialTarget {
  readonly hostname: string;
  readonly weight: number;
  readonly health: HostHealth;
  readonly peer: PeerMetadata | null;
  /** What it is known by to balancers by hash (metadata `envoy.lb`, `hash_key`); null: its address or name. */
  readonly hashKey: string | null;
  /** `filter_metadata`; absent or null: none. */
  readonly metadata?: FilterMetadata | null;
  /** How it is checked actively, where that is not as its cluster's others; absent: as they. */
  readonly check?: EndpointCheck | null;
  /** Index of the transport that the endpoint's metadata chooses. */
  readonly transportIndex: number;
}
