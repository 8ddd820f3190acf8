import type { RouteAction_HashPolicySchema as HashPolicySchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { LoadBalancerSettings } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { DestinationPolicy } from '../../mesh/destination-rules.ts';
import { Memo } from '../../identity.ts';
import type { Targets } from '../../mesh/scope.ts';
import type { Service } from '../../registry/service.ts';
import { effectivePolicy } from '../cluster/policy.ts';
import { parseOutboundCluster } from '../names.ts';
import type { Init } from '../protobuf.ts';

type HashPolicyInit = Init<typeof HashPolicySchema>;

/** A service some of whose clusters choose endpoints by hash; its identity stands for what it says. */
export interface HashedService {
  readonly service: Service;
  readonly destination: DestinationPolicy;
}

const shared = new WeakMap<DestinationPolicy, WeakMap<Service, HashedService>>();

/** The services that choose by hash, each always the same object; one list for the same targets. */
export function hashedServices(targets: Targets): readonly HashedService[] {
  return hashed.get(targets);
}

const NONE: readonly HashedService[] = [];

const hashed = new Memo(({ services, destinations }: Targets): readonly HashedService[] => {
  const found = services.flatMap((service) => {
    const destination = destinations.get(service.id);
    if (destination === undefined || !hashes(destination)) return [];
    const known = shared.get(destination) ?? new WeakMap<Service, HashedService>();
    shared.set(destination, known);
    const entry = known.get(service) ?? { service, destination };
    known.set(service, entry);
    return [entry];
  });
  // What is made from an empty list is shared by all targets.
  return found.length === 0 ? NONE : found;
});

function hashes({ trafficPolicy, subsets }: DestinationPolicy): boolean {
  return [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].some((policy) =>
    [policy, ...(policy?.portLevelSettings ?? [])].some((each) => isHash(each?.loadBalancer)),
  );
}

function isHash(settings: LoadBalancerSettings | undefined): boolean {
  return settings?.lbPolicy.case === 'consistentHash';
}

/** Connections to a cluster go by the address they come from. */
export function hashesSource(hashed: readonly HashedService[], cluster: string): boolean {
  const policy = policyOf(hashed, cluster)?.lbPolicy;
  return policy?.case === 'consistentHash' && policy.value.hashKey.case === 'useSourceIp' && policy.value.hashKey.value;
}

const byHostname = new Memo(
  (hashed: readonly HashedService[]) => new Map(hashed.map((entry) => [entry.service.hostname, entry])),
);

function policyOf(hashed: readonly HashedService[], cluster: string): LoadBalancerSettings | undefined {
  const named = parseOutboundCluster(cluster);
  const entry = named === null ? undefined : byHostname.get(hashed).get(named.hostname);
  if (named === null || entry === undefined) return undefined;
  return effectivePolicy(entry.destination, named.subset, named.port).loadBalancer;
}

/** What requests to a cluster are hashed by; empty where its endpoints are chosen otherwise. */
export function hashPolicies(hashed: readonly HashedService[], cluster: string): HashPolicyInit[] {
  const policy = policyOf(hashed, cluster)?.lbPolicy;
  if (policy?.case !== 'consistentHash') return [];
  const key = policy.value.hashKey;
  switch (key.case) {
    case 'httpHeaderName':
      return [{ policySpecifier: { case: 'header', value: { headerName: key.value } } }];
    case 'httpCookie': {
      const { name, path, ttl, attributes } = key.value;
      const value = { name, path, attributes: attributes.map((each) => ({ name: each.name, value: each.value })) };
      return [{ policySpecifier: { case: 'cookie', value: ttl === undefined ? value : { ...value, ttl } } }];
    }
    case 'useSourceIp':
      return key.value ? [{ policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } }] : [];
    case 'httpQueryParameterName':
      return [{ policySpecifier: { case: 'queryParameter', value: { name: key.value } } }];
    case undefined:
      return [];
  }
}
