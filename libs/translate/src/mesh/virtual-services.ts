import { isVisibleFrom, parseExportTo, resolveHost } from '@flotilla/model';
import type { Config } from './config.ts';
import type { MeshSettings } from './settings.ts';

/** The name that stands for all sidecars where gateways are listed. */
export const MESH_GATEWAY = 'mesh';

/** Gateways a VirtualService binds to as `namespace/name`, or `mesh`. None written means the mesh. */
export function gatewaysOf(virtualService: Config<'VirtualService'>): string[] {
  const { gateways } = virtualService.spec;
  if (gateways.length === 0) return [MESH_GATEWAY];
  return gateways.map((gateway) => gatewayId(gateway, virtualService.key.namespace));
}

/** `name` is of the same namespace; the older form `name.namespace.svc.cluster.local` is understood. */
export function gatewayId(gateway: string, namespace: string): string {
  if (gateway === MESH_GATEWAY || gateway.includes('/')) return gateway;
  const [name = '', otherNamespace] = gateway.split('.');
  return otherNamespace === undefined ? `${namespace}/${gateway}` : `${otherNamespace}/${name}`;
}

export function isVirtualServiceVisible(
  virtualService: Config<'VirtualService'>,
  namespace: string,
  settings: MeshSettings,
): boolean {
  const { spec, key } = virtualService;
  const visibility = parseExportTo(spec.exportTo, key.namespace, settings.config.defaultVirtualServiceExportTo);
  return isVisibleFrom(visibility, namespace);
}

export function hostsOf(virtualService: Config<'VirtualService'>, settings: MeshSettings): string[] {
  return virtualService.spec.hosts.map((host) =>
    resolveHost(host, virtualService.key.namespace, settings.domainSuffix).toLowerCase(),
  );
}

/** Every host that the rules send traffic to, full names. */
export function destinationHosts(virtualService: Config<'VirtualService'>, settings: MeshSettings): Set<string> {
  const { spec, key } = virtualService;
  const named = [
    ...spec.http.flatMap((route) => [
      ...route.route.map((weighted) => weighted.destination),
      route.mirror,
      ...route.mirrors.map((mirror) => mirror.destination),
    ]),
    ...[...spec.tcp, ...spec.tls].flatMap((route) => route.route.map((weighted) => weighted.destination)),
  ];
  return new Set(
    named.flatMap((destination) =>
      destination === undefined ? [] : [resolveHost(destination.host, key.namespace, settings.domainSuffix)],
    ),
  );
}
