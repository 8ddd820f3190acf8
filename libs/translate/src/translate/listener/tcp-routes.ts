import type { TCPRoute } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { canMeet, destinationCluster, type RouteContext, usedDestinations } from '../route/destination.ts';
import type { WeightedCluster } from './tcp-proxy.ts';

/** Where connections go by the TCP rules of a VirtualService: the first that fits; `null` when none does. */
export function tcpDestinations(context: RouteContext): WeightedCluster[] | null {
  const rule = context.virtualService.spec.tcp.find(
    (route) => route.match.length === 0 || route.match.some((match) => canMeet(match, context)),
  );
  return rule === undefined ? null : weighted(rule, context);
}

/** The destinations of one rule. */
export function weighted(rule: TCPRoute, context: RouteContext): WeightedCluster[] {
  return usedDestinations(rule.route).map(({ destination, weight }) => ({
    name: destinationCluster(destination.destination, context),
    weight,
  }));
}
