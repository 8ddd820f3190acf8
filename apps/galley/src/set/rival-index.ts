import { formatKey, parseExportTo } from '@flotilla/model';
import type { MeshResourceOf, Visibility } from '@flotilla/model';
import { limit } from '@flotilla/runtime';

type VirtualServiceResource = MeshResourceOf<'VirtualService'>;

const MAX_NAMESPACES = limit({
  name: 'galley.analysed-namespaces',
  what: "namespaces of one `exportTo` that are looked at for VirtualServices in each other's way",
  default: 100,
  unit: 'count',
  past: 'a conflict (IST0109) that only the further ones see is not told',
});

/** The oldest VirtualServices of one host. */
interface Oldest {
  /** Of all that some namespace sees. */
  any: VirtualServiceResource | null;
  /** Of those that every namespace sees. */
  everywhere: VirtualServiceResource | null;
  /** Of the others, by namespace that sees them. */
  readonly byNamespace: Map<string, VirtualServiceResource>;
}

/** VirtualServices by host that they route for in the mesh: the oldest of them is the one that counts. */
export class RivalIndex {
  readonly #byHost = new Map<string, Map<string, VirtualServiceResource>>();
  /** Made when it is asked for, dropped when the host's VirtualServices change. */
  readonly #oldest = new Map<string, Oldest>();

  add(key: string, hosts: readonly string[], resource: VirtualServiceResource): void {
    for (const host of hosts) {
      const resources = this.#byHost.get(host);
      if (resources === undefined) this.#byHost.set(host, new Map([[key, resource]]));
      else resources.set(key, resource);
      this.#oldest.delete(host);
    }
  }

  remove(key: string, hosts: readonly string[]): void {
    for (const host of hosts) {
      const resources = this.#byHost.get(host);
      resources?.delete(key);
      if (resources?.size === 0) this.#byHost.delete(host);
      this.#oldest.delete(host);
    }
  }

  /** The oldest VirtualService for a host that some namespace sees beside `resource`; `null` when that is the oldest. */
  olderFor(host: string, resource: VirtualServiceResource): VirtualServiceResource | null {
    const resources = this.#byHost.get(host);
    if (resources === undefined || resources.size < 2) return null;
    let oldest = this.#oldest.get(host);
    if (oldest === undefined) {
      oldest = oldestOf(resources.values());
      this.#oldest.set(host, oldest);
    }
    const found = oldestBeside(oldest, visibilityOf(resource));
    return found === null || found === resource || isOlder(resource, found) ? null : found;
  }
}

function oldestOf(resources: Iterable<VirtualServiceResource>): Oldest {
  const oldest: Oldest = { any: null, everywhere: null, byNamespace: new Map() };
  for (const resource of resources) {
    const { everywhere, namespaces } = visibilityOf(resource);
    if (everywhere || namespaces.size > 0) oldest.any = olderOf(oldest.any, resource);
    if (everywhere) oldest.everywhere = olderOf(oldest.everywhere, resource);
    for (const namespace of first(namespaces)) {
      oldest.byNamespace.set(namespace, olderOf(oldest.byNamespace.get(namespace) ?? null, resource));
    }
  }
  return oldest;
}

function oldestBeside(oldest: Oldest, { everywhere, namespaces }: Visibility): VirtualServiceResource | null {
  if (everywhere) return oldest.any;
  let found = namespaces.size > 0 ? oldest.everywhere : null;
  for (const namespace of first(namespaces)) {
    const here = oldest.byNamespace.get(namespace);
    if (here !== undefined) found = olderOf(found, here);
  }
  return found;
}

function visibilityOf({ spec, key }: VirtualServiceResource): Visibility {
  return parseExportTo(spec.exportTo, key.namespace);
}

function first(namespaces: ReadonlySet<string>): Iterable<string> {
  return namespaces.size <= MAX_NAMESPACES ? namespaces : [...namespaces].slice(0, MAX_NAMESPACES);
}

function olderOf(a: VirtualServiceResource | null, b: VirtualServiceResource): VirtualServiceResource {
  return a !== null && isOlder(a, b) ? a : b;
}

function isOlder(a: VirtualServiceResource, b: VirtualServiceResource): boolean {
  if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs < b.createdAtMs;
  return formatKey(a.key) < formatKey(b.key);
}
