import type { Destination, HTTPMatchRequest } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { gatewayId, labelsMatch, resolveHost } from '@flotilla/model';
import type { Config } from '../../mesh/config.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { Service } from '../../registry/service.ts';
import { outboundCluster } from '../names.ts';
import type { HashedService } from './hash-policy.ts';

/** Where the rules of one VirtualService are applied. */
export interface RouteContext {
  readonly mesh: MeshSettings;
  readonly virtualService: Config<'VirtualService'>;
  /** Port of the service (sidecar) or of the server (gateway) that the client came to. */
  readonly port: number;
  /** Port a client sees, when the real one differs. */
  readonly clientPort: number;
  readonly isTls: boolean;
  /** Gateways the rule is looked at from: `mesh`, or the ids of the server's Gateway resources. */
  readonly gateways: readonly string[];
  readonly proxy: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  /** Services whose endpoints are chosen by hash. */
  readonly hashed: readonly HashedService[];
  /** Services the proxy knows, by hostname. */
  readonly services: ReadonlyMap<string, Service>;
}

/** What a match of any protocol says of the client, beside what it says of the traffic. */
type ClientMatch = Pick<HTTPMatchRequest, 'gateways' | 'port' | 'sourceNamespace' | 'sourceLabels'>;

/** Whether the proxy can meet a match at all: what is decided by who the client is, not by a request or connection. */
export function canMeet(match: ClientMatch, context: RouteContext): boolean {
  const { gateways, proxy, port, virtualService } = context;
  const named = match.gateways.map((gateway) => gatewayId(gateway, virtualService.key.namespace));
  return (
    (named.length === 0 || named.some((gateway) => gateways.includes(gateway))) &&
    (match.port === 0 || match.port === port) &&
    (match.sourceNamespace === '' || match.sourceNamespace === proxy.namespace) &&
    labelsMatch(match.sourceLabels, proxy.labels)
  );
}

/**
 * The cluster a destination names. Without a port: the service's only port, otherwise the one that the client came to
 * (Istio's documentation of `Destination.port`).
 */
export function destinationCluster(destination: Destination | undefined, context: RouteContext): string {
  const { virtualService, mesh, services, port } = context;
  const hostname = resolveHost(destination?.host ?? '', virtualService.key.namespace, mesh.domainSuffix);
  const ports = services.get(hostname)?.ports ?? [];
  const only = ports.length === 1 ? ports[0]?.number : undefined;
  return outboundCluster(hostname, destination?.port?.number || (only ?? port), destination?.subset);
}

/**
 * The destinations that get traffic: those with a weight; a lone one without; and, where nobody has one, each the same
 * (galley refuses that, unless it was told to accept it).
 */
export function usedDestinations<Weighted extends { readonly weight: number }>(
  destinations: readonly Weighted[],
): { readonly destination: Weighted; readonly weight: number }[] {
  const weighed = destinations.filter(({ weight }) => weight > 0);
  if (weighed.length > 0 && destinations.length > 1) {
    return weighed.map((destination) => ({ destination, weight: destination.weight }));
  }
  return destinations.map((destination) => ({ destination, weight: 1 }));
}
