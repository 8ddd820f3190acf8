import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Resource } from './world.ts';

/** As much of a Kubernetes API server as istiod needs to start and to follow configuration: lists, and watches of them. */
export interface KubeApi {
  readonly url: string;
  /** Adds or replaces a resource, and tells those who watch. */
  apply(resource: Resource): void;
  close(): void;
}

const PLURALS: Readonly<Record<Resource['kind'], string>> = {
  ServiceEntry: 'serviceentries',
  VirtualService: 'virtualservices',
  DestinationRule: 'destinationrules',
};
const GROUP = 'networking.istio.io';
const CREATED = '2026-01-01T00:00:00Z';
const CRDS = 'customresourcedefinitions';

interface Stored {
  readonly metadata: object;
}

/** Serves these resources. What is not known is an empty list; what is created is taken, and forgotten. */
export async function startKubeApi(resources: readonly Resource[]): Promise<KubeApi> {
  let version = 1;
  const stored = new Map<string, Map<string, Stored>>();
  const watching = new Map<string, Set<ServerResponse>>();
  const store = (resource: Resource): { readonly plural: string; readonly object: Stored; readonly isNew: boolean } => {
    const plural = PLURALS[resource.kind];
    const { namespace, name } = resource.metadata;
    const object = {
      ...resource,
      metadata: { ...resource.metadata, ...marks(`${plural}-${namespace}-${name}`, ++version) },
    };
    const all = stored.get(plural) ?? new Map<string, Stored>();
    stored.set(plural, all);
    const isNew = !all.has(`${namespace}/${name}`);
    all.set(`${namespace}/${name}`, object);
    return { plural, object, isNew };
  };
  for (const resource of resources) store(resource);
  stored.set(
    CRDS,
    new Map(
      Object.values(PLURALS).map((plural) => [
        plural,
        { metadata: { name: `${plural}.${GROUP}`, ...marks(plural, 1) } },
      ]),
    ),
  );

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://api');
    const collection = collectionOf(url.pathname);
    if (request.method !== 'GET') {
      void echo(request, response);
    } else if (collection === null) {
      json(response, url.pathname === '/version' ? 200 : 404, url.pathname === '/version' ? VERSION : NOT_FOUND);
    } else if (!url.searchParams.has('watch')) {
      const isPartial = request.headers.accept?.includes('PartialObjectMetadataList') === true;
      const items = [...(stored.get(collection)?.values() ?? [])];
      // Without a kind it is taken for the one that was asked for.
      const head = isPartial ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' } : {};
      json(response, 200, { ...head, metadata: { resourceVersion: String(version) }, items });
    } else if (url.searchParams.has('sendInitialEvents')) {
      // Clients then list first.
      json(response, 422, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Invalid', code: 422 });
    } else {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      const watchers = watching.get(collection) ?? new Set<ServerResponse>();
      watching.set(collection, watchers.add(response));
      response.once('close', () => watchers.delete(response));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // A TCP server has a port.
    apply(resource) {
      const { plural, object, isNew } = store(resource);
      const event = `${JSON.stringify({ type: isNew ? 'ADDED' : 'MODIFIED', object })}\n`;
      for (const response of watching.get(plural) ?? []) response.write(event);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const VERSION = { major: '1', minor: '34', gitVersion: 'v1.34.0', platform: 'linux/amd64' };
const NOT_FOUND = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 };

function marks(id: string, version: number): object {
  return { uid: id, resourceVersion: String(version), creationTimestamp: CREATED };
}

/** The plural of `/api/v1/<plural>` and `/apis/<group>/<version>/<plural>`, `null` for what is no whole collection. */
function collectionOf(path: string): string | null {
  return /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/)?([a-z]+)$/.exec(path)?.[1] ?? null;
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  response.writeHead(request.method === 'POST' ? 201 : 200, {
    'content-type': request.headers['content-type'] ?? 'application/json',
  });
  response.end(Buffer.concat(chunks));
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
