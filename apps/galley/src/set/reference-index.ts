import type { MeshResourceOf } from '@flotilla/model';
import { HostIndex } from './host-index.ts';
import { destinationsOf, gatewaysOf, hostsOf, isInMesh } from './references.ts';

/** Which VirtualServices (by key) have to be looked at again when something that they name changes. */
export class ReferenceIndex {
  /** By hosts that they send traffic to. */
  readonly destinations = new HostIndex();
  /** By hosts that they route for in the mesh. */
  readonly meshHosts = new HostIndex();
  readonly #gateways = new Map<string, Set<string>>();

  add(key: string, resource: MeshResourceOf<'VirtualService'>): void {
    this.destinations.add(key, destinationHosts(resource));
    if (isInMesh(resource)) this.meshHosts.add(key, hostsOf(resource));
    for (const { gateway } of gatewaysOf(resource)) {
      const keys = this.#gateways.get(gateway);
      if (keys === undefined) this.#gateways.set(gateway, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, resource: MeshResourceOf<'VirtualService'>): void {
    this.destinations.remove(key, destinationHosts(resource));
    if (isInMesh(resource)) this.meshHosts.remove(key, hostsOf(resource));
    for (const { gateway } of gatewaysOf(resource)) {
      const keys = this.#gateways.get(gateway);
      keys?.delete(key);
      if (keys?.size === 0) this.#gateways.delete(gateway);
    }
  }

  /** Keys of the VirtualServices at a gateway, named `namespace/name`. */
  atGateway(gateway: string): readonly string[] {
    return [...(this.#gateways.get(gateway) ?? [])];
  }
}

function destinationHosts(resource: MeshResourceOf<'VirtualService'>): readonly string[] {
  return [...new Set(destinationsOf(resource).map(({ host }) => host))];
}
