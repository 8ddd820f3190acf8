import { delegatesOf, destinationsOf, gatewaysOf, hostsOf, isInMesh } from '@flotilla/model';
import type { MeshResourceOf } from '@flotilla/model';
import { HostIndex } from './host-index.ts';
import { RivalIndex } from './rival-index.ts';

/** Which VirtualServices (by key) have to be looked at again when something that they name changes. */
export class ReferenceIndex {
  /** By hosts that they send traffic to. */
  readonly destinations = new HostIndex();
  /** By hosts that they route for in the mesh. */
  readonly meshHosts = new HostIndex();
  /** The same, by the hosts alone as they are written. */
  readonly rivals = new RivalIndex();
  readonly #gateways = new NameIndex();
  readonly #delegates = new NameIndex();

  add(key: string, resource: MeshResourceOf<'VirtualService'>): void {
    this.destinations.add(key, destinationHosts(resource));
    if (isInMesh(resource)) {
      this.meshHosts.add(key, hostsOf(resource));
      this.rivals.add(key, hostsOf(resource), resource);
    }
    for (const { id } of gatewaysOf(resource)) this.#gateways.add(id, key);
    for (const { id } of delegatesOf(resource)) this.#delegates.add(id, key);
  }

  remove(key: string, resource: MeshResourceOf<'VirtualService'>): void {
    this.destinations.remove(key, destinationHosts(resource));
    if (isInMesh(resource)) {
      this.meshHosts.remove(key, hostsOf(resource));
      this.rivals.remove(key, hostsOf(resource));
    }
    for (const { id } of gatewaysOf(resource)) this.#gateways.remove(id, key);
    for (const { id } of delegatesOf(resource)) this.#delegates.remove(id, key);
  }

  /** Keys of the VirtualServices at a gateway, named `namespace/name`. */
  atGateway(gateway: string): Iterable<string> {
    return this.#gateways.keysOf(gateway);
  }

  /** Keys of the VirtualServices that delegate to one, named `namespace/name`. */
  delegatingTo(virtualService: string): Iterable<string> {
    return this.#delegates.keysOf(virtualService);
  }
}

/** Keys by what they name. */
class NameIndex {
  readonly #keys = new Map<string, Set<string>>();

  add(name: string, key: string): void {
    const keys = this.#keys.get(name);
    if (keys === undefined) this.#keys.set(name, new Set([key]));
    else keys.add(key);
  }

  remove(name: string, key: string): void {
    const keys = this.#keys.get(name);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(name);
  }

  keysOf(name: string): Iterable<string> {
    return this.#keys.get(name) ?? [];
  }
}

function destinationHosts(resource: MeshResourceOf<'VirtualService'>): readonly string[] {
  return [...new Set(destinationsOf(resource).map(({ host }) => host))];
}
