import type { L4MatchAttributes, TCPRoute } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { labelsMatch } from '@flotilla/model';
import { gatewayId } from '../../mesh/virtual-services.ts';
import { destinationCluster, type RouteContext, usedDestinations } from '../route/destination.ts';
import type { WeightedCluster } from './tcp-proxy.ts';

/** Where connections go by the TCP rules of a VirtualService: the first that fits; `null` when none does. */
export function tcpDestinations(context: RouteContext): WeightedCluster[] | null {
  const rule = context.virtualService.spec.tcp.find(
    (route) => route.match.length === 0 || route.match.some((match) => canMeet(match, context)),
  );
  return rule === undefined ? null : weighted(rule, context);
}

function canMeet(match: L4MatchAttributes, context: RouteContext): boolean {
  const { gateways, proxy, port, virtualService } = context;
  const named = match.gateways.map((gateway) => gatewayId(gateway, virtualService.key.namespace));
  return (
    (named.length === 0 || named.some((gateway) => gateways.includes(gateway))) &&
    (match.port === 0 || match.port === port) &&
    (match.sourceNamespace === '' || match.sourceNamespace === proxy.namespace) &&
    labelsMatch(match.sourceLabels, proxy.labels)
  );
}

/** The destinations of one rule. */
export function weighted(rule: TCPRoute, context: RouteContext): WeightedCluster[] {
  return usedDestinations(rule.route).map(({ destination, weight }) => ({
    name: destinationCluster(destination.destination, context),
    weight,
  }));
}
