import { addressBits } from '@flotilla/match';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Address } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import type { Metadata } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { HealthStatus } from '@flotilla/wire/envoy/config/core/v3/health_check_pb.js';
import type { ClusterLoadAssignment } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import type {
  Endpoint,
  LbEndpoint,
  LocalityLbEndpoints,
} from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_components_pb.js';
import { refuse } from '@flotilla/envoy';
import type { PeerMetadata } from '@flotilla/stream';
import type { EndpointCheck, EndpointSpec, HostHealth } from './endpoint-spec.ts';

/** The endpoints of one locality and priority. */
export interface EndpointGroup {
  readonly priority: number;
  /** `region/zone/subzone`, as `/clusters` shows it. */
  readonly locality: string;
  /** Weight among the localities of the priority; 0 when it has none. */
  readonly weight: number;
  readonly endpoints: readonly EndpointSpec[];
}

/** Finds the transport for an endpoint's `envoy.transport_socket_match` metadata: an index. */
export type TransportSelector = (metadata: JsonObject | null) => number;

/**
 * Reads a `ClusterLoadAssignment`. `acceptsNames`: addresses may be DNS names (STRICT_DNS, LOGICAL_DNS).
 * Throws `invalid`, naming the field.
 */
export function readAssignment(
  assignment: ClusterLoadAssignment,
  selectTransport: TransportSelector,
  acceptsNames: boolean,
): EndpointGroup[] {
  return assignment.endpoints.map((group, index) => {
    const path = `endpoints[${index}]`;
    return {
      priority: group.priority,
      locality: localityText(group),
      weight: group.loadBalancingWeight ?? 0,
      endpoints: endpointsOf(group).map((each, at) => {
        const field = `${path}.lb_endpoints[${at}]`;
        return readEndpoint(each, assignment, selectTransport, acceptsNames, field);
      }),
    };
  });
}

function endpointsOf(group: LocalityLbEndpoints): readonly LbEndpoint[] {
  return group.lbConfig.case === 'loadBalancerEndpoints' ? group.lbConfig.value.lbEndpoints : group.lbEndpoints;
}

function localityText({ locality }: LocalityLbEndpoints): string {
  return locality === undefined ? '' : [locality.region, locality.zone, locality.subZone].join('/');
}

function readEndpoint(
  proto: LbEndpoint,
  assignment: ClusterLoadAssignment,
  selectTransport: TransportSelector,
  acceptsNames: boolean,
  path: string,
): EndpointSpec {
  const endpoint = endpointOf(proto, assignment, path);
  const target = readAddress(endpoint.address, `${path}.endpoint.address`);
  if (target.path === null && !acceptsNames && addressBits(target.host) === null) {
    refuse(
      `${path}.endpoint.address`,
      `"${target.host}" is not an IP address`,
      'Names need a STRICT_DNS or LOGICAL_DNS cluster.',
    );
  }
  return {
    ...target,
    hostname: endpoint.hostname,
    weight: Math.max(1, proto.loadBalancingWeight ?? 1),
    health: healthOf(proto.healthStatus),
    peer: peerOf(proto.metadata),
    hashKey: hashKeyOf(proto.metadata),
    metadata: proto.metadata?.filterMetadata ?? null,
    check: checkOf(endpoint),
    transportIndex: selectTransport(proto.metadata?.filterMetadata['envoy.transport_socket_match'] ?? null),
  };
}

function checkOf({ healthCheckConfig: config }: Endpoint): EndpointCheck | null {
  if (config === undefined) return null;
  return { port: config.portValue, hostname: config.hostname, isDisabled: config.disableActiveHealthCheck };
}

function endpointOf(proto: LbEndpoint, assignment: ClusterLoadAssignment, path: string): Endpoint {
  const { hostIdentifier } = proto;
  switch (hostIdentifier.case) {
    case 'endpoint':
      return hostIdentifier.value;
    case 'endpointName':
      return (
        assignment.namedEndpoints[hostIdentifier.value] ??
        refuse(`${path}.endpoint_name`, `"${hostIdentifier.value}" is not among named_endpoints`)
      );
    case undefined:
      return refuse(`${path}.endpoint`, 'is missing');
  }
}

/** Reads a TCP address or the path of a Unix socket. */
export function readAddress(
  address: Address | undefined,
  path: string,
): { readonly host: string; readonly port: number; readonly path: string | null } {
  const rule = address?.address;
  switch (rule?.case) {
    case 'socketAddress': {
      const { address: host, portSpecifier, protocol } = rule.value;
      if (protocol !== 0) refuse(`${path}.socket_address.protocol`, 'only TCP is supported');
      if (host === '') refuse(`${path}.socket_address.address`, 'is empty');
      const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0;
      if (port > 65_535) refuse(`${path}.socket_address.port_value`, `${port} is not a port`);
      return { host, port, path: null };
    }
    case 'pipe':
      return { host: '', port: 0, path: rule.value.path };
    case 'envoyInternalAddress':
      return refuse(`${path}.envoy_internal_address`, 'is not supported');
    case undefined:
      return refuse(path, 'is missing');
  }
}

function healthOf(status: HealthStatus): HostHealth {
  switch (status) {
    case HealthStatus.UNHEALTHY:
    case HealthStatus.DRAINING:
    case HealthStatus.TIMEOUT:
      return 'unhealthy';
    case HealthStatus.DEGRADED:
      return 'degraded';
    default:
      return 'healthy';
  }
}

function hashKeyOf(metadata: Metadata | undefined): string | null {
  const key: JsonValue | undefined = metadata?.filterMetadata['envoy.lb']?.['hash_key'];
  return typeof key === 'string' ? key : null;
}

/** Istio's endpoint metadata: `workload;namespace;canonical service;canonical revision;cluster`. */
function peerOf(metadata: Metadata | undefined): PeerMetadata | null {
  const text: JsonValue | undefined = metadata?.filterMetadata['istio']?.['workload'];
  if (typeof text !== 'string' || text === '') return null;
  const [workload = '', namespace = '', canonicalService = '', canonicalRevision = '', cluster = ''] = text.split(';');
  return {
    workload,
    namespace,
    canonicalService,
    canonicalRevision,
    // The labels themselves are not in this form; Istio derives the canonical ones from them.
    app: canonicalService,
    version: canonicalRevision,
    cluster,
  };
}
