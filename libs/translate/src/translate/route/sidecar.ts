import type { VirtualHost } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { MESH_GATEWAY } from '@flotilla/model';
import type { Config } from '../../mesh/config.ts';
import { type LabelList, labelsOf } from '../../mesh/label-list.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { hostsOf, ruleForHost } from '../../mesh/virtual-services.ts';
import { mayBeHttp } from '../../registry/protocol.ts';
import type { Service, ServicePort } from '../../registry/service.ts';
import { routeDraft } from '../draft.ts';
import { UNREACHED_HEADER } from '../unreached.ts';
import type { HashedService } from './hash-policy.ts';
import { httpRoutes } from './http-route.ts';
import { coversAny, servicesByHost } from './services-by-host.ts';
import { sharedHost } from './shared-hosts.ts';
import { claimDomains, defaultRoute, fallbackHost, hostNames, type VirtualHostInit } from './virtual-host.ts';

export type SidecarRouteInputs = {
  readonly name: string;
  /** Port whose services are routed; `null` for all ports at once, told apart by the request's Host. */
  readonly port: number | null;
  /** Services of the egress listener. */
  readonly services: readonly Service[];
  readonly hashed: readonly HashedService[];
  /** All services the proxy knows, which destinations may name. */
  readonly known: readonly Service[];
  readonly virtualServices: readonly Config<'VirtualService'>[];
  readonly mesh: MeshSettings;
  readonly mayPass: boolean;
  readonly namespace: string;
  /** Those of the workload's labels that matches ask for. */
  readonly labels: LabelList;
};

// Where rules for hosts outside the registry are reached.
const DEFAULT_HTTP_PORT = 80;

/** Routes of a sidecar's outbound HTTP traffic: `9080`, or `http_proxy` for the explicit proxy port. */
export function sidecarRouteResource(inputs: SidecarRouteInputs) {
  const { name, port, mesh, services } = inputs;
  const taken = new Set<string>();
  const virtualHosts: (VirtualHostInit | VirtualHost)[] = [];
  for (const service of services) {
    for (const servicePort of httpPorts(service, port)) {
      const names = hostNames(service, inputs.namespace, mesh.domainSuffix);
      const domains = port === null ? proxyDomains(names, service, servicePort) : names;
      const claimed = claimDomains(domains, taken);
      if (claimed.length > 0) virtualHosts.push(serviceHost(service, servicePort.number, claimed, inputs));
    }
  }
  virtualHosts.push(...hostsOutsideRegistry(inputs, taken), fallbackHost(inputs.mayPass));
  return routeDraft(name, {
    name,
    virtualHosts,
    // Ports in Host mean nothing where the listener has decided on the port.
    ignorePortInHostMatching: port !== null,
    maxDirectResponseBodySizeBytes: 1_048_576,
    responseHeadersToRemove: [UNREACHED_HEADER],
    validateClusters: false,
  });
}

function httpPorts(service: Service, port: number | null): ServicePort[] {
  return service.ports.filter(
    (candidate) => mayBeHttp(candidate.protocol) && (port === null || candidate.number === port),
  );
}

/** Through the proxy port a Host may name the port; without one it means port 80, or the only HTTP port there is. */
function proxyDomains(names: readonly string[], service: Service, port: ServicePort): string[] {
  const candidates = httpPorts(service, null);
  const unnamed = candidates.find((candidate) => candidate.number === DEFAULT_HTTP_PORT) ?? candidates[0];
  const withPort = names.map((name) => `${name}:${port.number}`);
  return unnamed === port ? [...names, ...withPort] : withPort;
}

function serviceHost(service: Service, port: number, domains: string[], inputs: SidecarRouteInputs): VirtualHost {
  const rule = ruleForHost(inputs.virtualServices, service.hostname, inputs.mesh);
  const { mesh, hashed, known, namespace, labels } = inputs;
  return sharedHost({ service, port, domains, rule, mesh, hashed, known, namespace, labels }, () => {
    const routes = rule === null ? [] : httpRoutes(contextOf(rule, port, inputs));
    return {
      name: `${service.hostname}:${port}`,
      domains,
      routes: routes.length > 0 ? routes : [defaultRoute(service, port, mesh, hashed)],
      includeRequestAttemptCount: true,
    };
  });
}

/** Hosts of VirtualServices that are no service: they are reached at port 80. */
function hostsOutsideRegistry(inputs: SidecarRouteInputs, taken: Set<string>): VirtualHostInit[] {
  const { port, mesh, virtualServices, known } = inputs;
  if (port !== null && port !== DEFAULT_HTTP_PORT) return [];
  const found: VirtualHostInit[] = [];
  for (const rule of virtualServices) {
    if (rule.spec.http.length === 0) continue;
    for (const host of hostsOf(rule, mesh)) {
      if (coversAny(host, known)) continue;
      const names = hostNames({ hostname: host, addresses: [] }, inputs.namespace, mesh.domainSuffix);
      const domains = claimDomains(
        port === null && host !== '*' ? names.flatMap((name) => [name, `${name}:${DEFAULT_HTTP_PORT}`]) : names,
        taken,
      );
      const routes = httpRoutes(contextOf(rule, DEFAULT_HTTP_PORT, inputs));
      // "*" is the fallback's; a rule for every host must not take the place of what is known.
      if (host === '*' || domains.length === 0 || routes.length === 0) continue;
      found.push({ name: `${host}:${DEFAULT_HTTP_PORT}`, domains, routes, includeRequestAttemptCount: true });
    }
  }
  return found;
}

function contextOf(virtualService: Config<'VirtualService'>, port: number, inputs: SidecarRouteInputs) {
  return {
    mesh: inputs.mesh,
    virtualService,
    port,
    clientPort: port,
    isTls: false,
    gateways: [MESH_GATEWAY],
    hashed: inputs.hashed,
    proxy: { namespace: inputs.namespace, labels: labelsOf(inputs.labels) },
    services: servicesByHost(inputs.known),
  };
}
