import * as model from '@flotilla/model';
import { isVisibleFrom, MESH_GATEWAY, parseExportTo } from '@flotilla/model';
import type { Config } from './config.ts';
import type { MeshSettings } from './settings.ts';

/** Gateways a VirtualService binds to as `namespace/name`, or `mesh`. None written means the mesh. */
export function gatewaysOf(virtualService: Config<'VirtualService'>): string[] {
  const named = model.gatewaysOf(virtualService).map(({ id }) => id);
  return model.isInMesh(virtualService) ? [MESH_GATEWAY, ...named] : named;
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

/** Full hosts that the rules are for, in lower case. */
export function hostsOf(virtualService: Config<'VirtualService'>, settings: MeshSettings): readonly string[] {
  return model.hostsOf(virtualService, settings.domainSuffix);
}

/** Every host that the rules send traffic to, full names. */
export function destinationHosts(virtualService: Config<'VirtualService'>, settings: MeshSettings): Set<string> {
  return new Set(model.destinationsOf(virtualService, settings.domainSuffix).map(({ host }) => host));
}
