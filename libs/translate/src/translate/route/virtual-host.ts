import type { RouteSchema, VirtualHostSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { Service } from '../../registry/service.ts';
import { outboundCluster, PASSTHROUGH_CLUSTER } from '../names.ts';
import { type Init, milliseconds } from '../protobuf.ts';
import { type HashedService, hashPolicies } from './hash-policy.ts';
import { outboundRetryPolicy } from './retry.ts';

export type VirtualHostInit = Init<typeof VirtualHostSchema>;

const NO_TIMEOUT = milliseconds(0);

/** The route to a service that no VirtualService speaks of. */
export function defaultRoute(
  service: Service,
  port: number,
  mesh: MeshSettings,
  hashed: readonly HashedService[],
): Init<typeof RouteSchema> {
  const cluster = outboundCluster(service.hostname, port);
  const retryPolicy = outboundRetryPolicy(undefined, mesh);
  return {
    name: 'default',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    decorator: { operation: `${service.hostname}:${port}/*` },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        hashPolicy: hashPolicies(hashed, cluster),
        timeout: NO_TIMEOUT,
        maxStreamDuration: { maxStreamDuration: NO_TIMEOUT, grpcTimeoutHeaderMax: NO_TIMEOUT },
        ...(retryPolicy === undefined ? {} : { retryPolicy }),
      },
    },
  };
}

/**
 * What a request gets whose host nobody knows: on to where it was going, or 502. An explicit proxy does not learn an
 * original destination, so there only the second is possible.
 */
export function fallbackHost(mayPass: boolean): VirtualHostInit {
  const match = { pathSpecifier: { case: 'prefix' as const, value: '/' } };
  if (!mayPass) {
    return {
      name: 'block_all',
      domains: ['*'],
      includeRequestAttemptCount: true,
      routes: [{ name: 'block_all', match, action: { case: 'directResponse', value: { status: 502 } } }],
    };
  }
  return {
    name: 'allow_any',
    domains: ['*'],
    includeRequestAttemptCount: true,
    routes: [
      {
        name: 'allow_any',
        match,
        action: {
          case: 'route',
          value: {
            clusterSpecifier: { case: 'cluster', value: PASSTHROUGH_CLUSTER },
            timeout: NO_TIMEOUT,
            maxStreamDuration: { maxStreamDuration: NO_TIMEOUT, grpcTimeoutHeaderMax: NO_TIMEOUT },
          },
        },
      },
    ],
  };
}

/**
 * The names by which a client of a namespace may call a host: the full name, the short forms that Kubernetes' DNS search
 * path makes of it, and its addresses.
 */
export function hostNames(
  service: { readonly hostname: string; readonly addresses: readonly string[] },
  clientNamespace: string,
  domainSuffix: string,
): string[] {
  const names = [service.hostname];
  const suffix = `.svc.${domainSuffix}`;
  if (service.hostname.endsWith(suffix)) {
    const short = service.hostname.slice(0, -suffix.length);
    const dot = short.lastIndexOf('.');
    if (dot > 0) {
      if (short.slice(dot + 1) === clientNamespace) names.push(short.slice(0, dot));
      names.push(short, `${short}.svc`);
    }
  }
  for (const address of service.addresses) {
    if (!address.includes('/')) names.push(address.includes(':') ? `[${address}]` : address);
  }
  return names;
}

/** Drops domains that an earlier virtual host has: Envoy refuses a route configuration with one domain twice. */
export function claimDomains(domains: Iterable<string>, taken: Set<string>): string[] {
  const free: string[] = [];
  for (const domain of domains) {
    const lower = domain.toLowerCase();
    if (taken.has(lower)) continue;
    taken.add(lower);
    free.push(lower);
  }
  return free;
}
