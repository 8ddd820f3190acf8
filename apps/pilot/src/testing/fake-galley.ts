import { isDeepStrictEqual } from 'node:util';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createInProcessBus, type InProcessBus } from '@flotilla/bus';
import { CONTROLLER_ANNOTATION, formatKey, keyFromWire, type ResourceKey } from '@flotilla/model';
import { createInMemoryTransport } from '@flotilla/rpc';
import { type DeleteRequest, GalleyService, type Resource } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { readResources } from '@flotilla/translate/testing';

/**
 * Galley as pilot sees it, without validation and storage: a versioned set of resources behind `GalleyService`, with its
 * change log and its bus.
 */
export class FakeGalley {
  readonly transport: Transport;
  readonly bus: InProcessBus = createInProcessBus();
  readonly #resources = new Map<string, Resource>();
  readonly #log: { readonly version: number; readonly key: ResourceKey }[] = [];
  #version = 0;
  #epoch = 'first';
  #nowMs = 1_700_000_000_000;
  /** While set, every call fails. */
  isAway = false;
  /** Called before each write, which waits for it and may be refused by it. */
  onWrite: ((texts: readonly string[]) => void | Promise<void>) | null = null;
  /** What was removed, in order, as `namespace/name`. */
  readonly removed: string[] = [];

  constructor() {
    this.transport = createInMemoryTransport((router) => {
      router.service(GalleyService, {
        listChanges: ({ sinceVersion, sinceEpoch }) =>
          this.#changes(sinceEpoch === this.#epoch ? Number(sinceVersion) : 0),
        apply: async ({ documents }) => {
          this.#mustBeThere();
          await this.onWrite?.(documents.map(({ yaml }) => yaml));
          this.write(documents.map(({ yaml }) => yaml).join('\n---\n'));
          return { version: BigInt(this.#version) };
        },
        delete: async (request) => {
          this.#mustBeThere();
          await this.onWrite?.([]);
          this.#delete(request);
          return { version: BigInt(this.#version) };
        },
      });
    });
  }

  get version(): number {
    return this.#version;
  }

  /** Names of the resources of a kind as `namespace/name`, in order. */
  names(kind: string): string[] {
    return [...this.#resources.values()]
      .filter((resource) => resource.key?.kind === kind)
      .map((resource) => `${resource.key?.namespace}/${resource.key?.name}`)
      .sort();
  }

  /** Id of the pilot that controls an entry, `null` where there is no such entry. */
  controller(name: string): string | null {
    const resource = this.#resources.get(`networking.istio.io/WorkloadEntry/${name}`);
    return resource === undefined ? null : (resource.annotations[CONTROLLER_ANNOTATION] ?? '');
  }

  /** Writes what is new in the documents of a YAML text as one version, and announces it. */
  write(yaml: string): void {
    const resources = readResources(yaml, this.#version + 1, this.#nowMs + 1_000).filter((resource) => {
      const known = this.#resources.get(formatKey(keyFromWire(resource.key)));
      return known === undefined || !isDeepStrictEqual(contentOf(known), contentOf(resource));
    });
    if (resources.length === 0) return;
    this.#version += 1;
    this.#nowMs += 1_000;
    const keys = resources.map((resource) => {
      const key = keyFromWire(resource.key);
      const known = this.#resources.get(formatKey(key));
      if (known !== undefined) resource.createdAt = known.createdAt;
      this.#resources.set(formatKey(key), resource);
      this.#log.push({ version: this.#version, key });
      return key;
    });
    void this.bus.publish({ epoch: this.#epoch, version: this.#version, keys });
  }

  remove(...keys: ResourceKey[]): void {
    if (keys.length === 0) return;
    this.#version += 1;
    for (const key of keys) {
      this.#resources.delete(formatKey(key));
      this.removed.push(`${key.namespace}/${key.name}`);
      this.#log.push({ version: this.#version, key });
    }
    void this.bus.publish({ epoch: this.#epoch, version: this.#version, keys });
  }

  /** Its store is lost, and begins anew with these documents. */
  loseEverything(yaml: string): void {
    this.#resources.clear();
    this.#log.length = 0;
    this.#version = 0;
    this.#epoch = `after ${this.#epoch}`;
    this.write(yaml);
  }

  #delete({ keys, ifAnnotations }: DeleteRequest): void {
    const there = keys.map(keyFromWire).filter((key) => {
      const resource = this.#resources.get(formatKey(key));
      if (resource === undefined) return false;
      return Object.entries(ifAnnotations).every(([name, value]) => (resource.annotations[name] ?? '') === value);
    });
    this.remove(...there);
  }

  #mustBeThere(): void {
    if (this.isAway) throw new ConnectError('galley is away', Code.Unavailable);
  }

  #changes(since: number) {
    this.#mustBeThere();
    const version = BigInt(this.#version);
    if (since === 0) {
      const changes = [...this.#resources.values()].map((resource) => ({ key: resource.key, resource, version }));
      return { epoch: this.#epoch, version, snapshot: true, changes };
    }
    const changed = new Map(this.#log.filter((entry) => entry.version > since).map(({ key }) => [formatKey(key), key]));
    return {
      epoch: this.#epoch,
      version,
      snapshot: false,
      changes: [...changed].map(([id, key]) => ({ key, resource: this.#resources.get(id), version })),
    };
  }
}

function contentOf({ apiVersion, labels, annotations, body }: Resource): unknown {
  return { apiVersion, labels: { ...labels }, annotations: { ...annotations }, body };
}
