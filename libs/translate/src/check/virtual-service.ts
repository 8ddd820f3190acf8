import { MESH_GATEWAY } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';
import { hostsOf } from '../mesh/virtual-services.ts';
import { type Draft, listenerDraft, routeDraft } from '../translate/draft.ts';
import { socketAddress } from '../translate/listener/parts.ts';
import { tcpProxy } from '../translate/listener/tcp-proxy.ts';
import { weighted } from '../translate/listener/tcp-routes.ts';
import type { RouteContext } from '../translate/route/destination.ts';
import { everyHttpRoute } from '../translate/route/http-route.ts';
import { claimDomains, fallbackHost } from '../translate/route/virtual-host.ts';
import { CHECK_SETTINGS } from './settings.ts';

/** Every route in one virtual host, every host with one route, and a TCP proxy of every TCP rule. */
export function* virtualServiceSamples(rule: Config<'VirtualService'>): Generator<Draft> {
  const context: RouteContext = {
    mesh: CHECK_SETTINGS,
    virtualService: rule,
    port: 80,
    clientPort: 80,
    isTls: false,
    gateways: [MESH_GATEWAY],
    hashed: [],
    proxy: { namespace: rule.key.namespace, labels: {} },
    services: new Map(),
  };
  const { http, tcp } = rule.spec;
  if (http.length > 0) {
    const taken = new Set<string>();
    const hosts = hostsOf(rule, CHECK_SETTINGS).flatMap((host) => {
      const domains = claimDomains([host], taken);
      return domains.length === 0 ? [] : [{ ...fallbackHost(false), name: `${host}:80`, domains }];
    });
    const everything = { name: 'routes', domains: ['routes.invalid'], routes: everyHttpRoute(context) };
    yield routeDraft('80', {
      name: '80',
      virtualHosts: [everything, ...hosts],
      maxDirectResponseBodySizeBytes: 1_048_576,
      validateClusters: false,
    });
  }
  if (tcp.length > 0) {
    yield listenerDraft('tcp', {
      name: 'tcp',
      address: socketAddress('127.0.0.1', 80),
      filterChains: tcp.map((route, index) => ({
        filterChainMatch: { destinationPort: index + 1 },
        filters: [tcpProxy(weighted(route, context), CHECK_SETTINGS)],
      })),
    });
  }
}
