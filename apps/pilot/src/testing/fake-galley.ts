import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createInProcessBus, type InProcessBus } from '@flotilla/bus';
import { formatKey, keyFromWire, type ResourceKey } from '@flotilla/model';
import { createInMemoryTransport } from '@flotilla/rpc';
import { GalleyService, type Resource } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { readResources } from './documents.ts';

const EPOCH = 'fake';

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
  #nowMs = 1_700_000_000_000;
  /** While set, every call fails. */
  isAway = false;

  constructor() {
    this.transport = createInMemoryTransport((router) => {
      router.service(GalleyService, {
        listChanges: ({ sinceVersion }) => this.#changes(Number(sinceVersion)),
        apply: ({ documents }) => {
          this.#mustBeThere();
          this.write(documents.map(({ yaml }) => yaml).join('\n---\n'));
          return { version: BigInt(this.#version) };
        },
        delete: ({ keys }) => {
          this.#mustBeThere();
          this.remove(...keys.map(keyFromWire));
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

  /** Writes the documents of a YAML text as one version, and announces it. */
  write(yaml: string): void {
    this.#version += 1;
    this.#nowMs += 1_000;
    const keys = readResources(yaml, this.#version, this.#nowMs).map((resource) => {
      const key = keyFromWire(resource.key);
      const known = this.#resources.get(formatKey(key));
      if (known !== undefined) resource.createdAt = known.createdAt;
      this.#resources.set(formatKey(key), resource);
      this.#log.push({ version: this.#version, key });
      return key;
    });
    void this.bus.publish({ epoch: EPOCH, version: this.#version, keys });
  }

  remove(...keys: ResourceKey[]): void {
    this.#version += 1;
    for (const key of keys) {
      this.#resources.delete(formatKey(key));
      this.#log.push({ version: this.#version, key });
    }
    void this.bus.publish({ epoch: EPOCH, version: this.#version, keys });
  }

  #mustBeThere(): void {
    if (this.isAway) throw new ConnectError('galley is away', Code.Unavailable);
  }

  #changes(since: number) {
    this.#mustBeThere();
    const version = BigInt(this.#version);
    if (since === 0) {
      const changes = [...this.#resources.values()].map((resource) => ({ key: resource.key, resource, version }));
      return { epoch: EPOCH, version, snapshot: true, changes };
    }
    const changed = new Map(this.#log.filter((entry) => entry.version > since).map(({ key }) => [formatKey(key), key]));
    return {
      epoch: EPOCH,
      version,
      snapshot: false,
      changes: [...changed].map(([id, key]) => ({ key, resource: this.#resources.get(id), version })),
    };
  }
}
