import { silentLogger } from '@flotilla/observe';
import { serveRpc } from '@flotilla/rpc';
import { readResources } from '@flotilla/translate/testing';
import { type ChangeSchema, GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Resource } from './world.ts';

/** As much of galley as pilot needs to start and to follow configuration, as `kube-api` is of Kubernetes. */
export interface GalleyApi {
  readonly url: string;
  /** Adds or replaces a resource, and tells those who watch. */
  apply(resource: Resource): void;
  close(): Promise<void>;
}

type ChangeInit = MessageInitShape<typeof ChangeSchema>;

const CREATED_MS = 1_767_225_600_000;

/** Serves these resources. */
export async function startGalleyApi(resources: readonly Resource[]): Promise<GalleyApi> {
  let version = 0;
  const stored = new Map<string, ChangeInit>();
  const log: { readonly version: number; readonly id: string }[] = [];
  let wake = Promise.withResolvers<void>();
  const put = (resource: Resource): void => {
    const [read] = readResources(JSON.stringify(resource), version, CREATED_MS);
    const id = `${resource.kind}/${resource.metadata.namespace}/${resource.metadata.name}`;
    stored.set(id, { ...(read?.key === undefined ? {} : { key: read.key, resource: read }), version: BigInt(version) });
    log.push({ version, id });
  };
  version = 1;
  for (const resource of resources) put(resource);
  const since = (sinceVersion: bigint) => {
    const isSnapshot = sinceVersion === 0n;
    const ids = isSnapshot ? stored.keys() : log.filter((entry) => entry.version > sinceVersion).map(({ id }) => id);
    const changes = [...new Set(ids)].flatMap((id) => stored.get(id) ?? []);
    return { epoch: 'bench', version: BigInt(version), snapshot: isSnapshot, changes };
  };
  const server = await serveRpc({
    address: { host: '127.0.0.1', port: 0 },
    logger: silentLogger,
    routes: (router) =>
      void router.service(GalleyService, {
        listChanges: ({ sinceVersion }) => since(sinceVersion),
        async *watch({ sinceVersion }, { signal }) {
          for (let told = sinceVersion; !signal.aborted; await wake.promise) {
            if (told >= BigInt(version)) continue;
            const news = since(told);
            told = news.version;
            yield news;
          }
        },
      }),
  });
  return {
    url: server.url,
    apply(resource) {
      version += 1;
      put(resource);
      wake.resolve();
      wake = Promise.withResolvers();
    },
    close: () => server.close(),
  };
}
