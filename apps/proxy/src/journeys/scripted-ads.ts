import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type Any, anyPack, durationFromMs } from '@bufbuild/protobuf/wkt';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryResponseSchema,
  ResourceSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { shortNameOf, typeUrlOf, type XdsShortName } from '@flotilla/xds';
import { PushableIterable } from '../base/pushable.ts';

export interface ScriptedResource {
  readonly name: string;
  readonly version: string;
  /** Absent: the resource in use goes on. */
  readonly any?: Any;
  /** How long it may be used without being sent again; absent: for good. */
  readonly ttlMs?: number;
}

/** One resource as the script sends it. */
export function resource<D extends DescMessage>(
  name: string,
  version: string,
  schema: D,
  message: MessageShape<D>,
): ScriptedResource {
  return { name, version, any: anyPack(schema, message) };
}

/** One stream of a client, driven by the test. */
export interface ScriptedStream<Q = DeltaDiscoveryRequest> {
  /** The next request of a type; earlier ones of other types stay queued. */
  request(type: XdsShortName): Promise<Q>;
  /** On a state-of-the-world stream the version is a number that each response raises, and `removed` is not said. */
  send(type: XdsShortName, resources: readonly ScriptedResource[], removed?: readonly string[]): string;
  /** Requests of a type that have arrived and were not asked for. */
  unread(type: XdsShortName): number;
}

export interface ScriptedAds {
  readonly port: number;
  /** The next delta stream that a client opens. */
  stream(): Promise<ScriptedStream>;
  /** The next state-of-the-world stream. */
  sotwStream(): Promise<ScriptedStream<DiscoveryRequest>>;
  /** Cuts every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** An ADS server over HTTP/2 on a real socket that says only what the test tells it to. */
export async function startScriptedAds(port = 0): Promise<ScriptedAds> {
  const streams = new PushableIterable<ScriptedStream>();
  const sotwStreams = new PushableIterable<ScriptedStream<DiscoveryRequest>>();
  const sessions = new Set<ServerHttp2Session>();
  const server: Http2Server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(AggregatedDiscoveryService, {
          deltaAggregatedResources: (requests, context) => {
            const { stream, responses } = scriptedStream(requests, deltaResponse);
            context.signal.addEventListener('abort', () => responses.end());
            streams.push(stream);
            return responses;
          },
          streamAggregatedResources: (requests, context) => {
            const { stream, responses } = scriptedStream(requests, sotwResponse);
            context.signal.addEventListener('abort', () => responses.end());
            sotwStreams.push(stream);
            return responses;
          },
        }),
    }),
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const session of sessions) session.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port, // a listening TCP server
    stream: reader(streams),
    sotwStream: reader(sotwStreams),
    cut,
    async close() {
      streams.end();
      sotwStreams.end();
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function reader<T>(queue: PushableIterable<T>): () => Promise<T> {
  const iterator = queue[Symbol.asyncIterator]();
  return async () => {
    const { value } = await iterator.next();
    if (value === undefined) throw new Error('the server was closed');
    return value;
  };
}

interface Answer {
  readonly type: XdsShortName;
  readonly number: number;
  readonly resources: readonly ScriptedResource[];
  readonly removed: readonly string[];
}

function deltaResponse({ type, number, resources, removed }: Answer) {
  return create(DeltaDiscoveryResponseSchema, {
    typeUrl: typeUrlOf(type),
    nonce: `n${number}`,
    systemVersionInfo: String(number),
    resources: resources.map(wrapped),
    removedResources: [...removed],
  });
}

function sotwResponse({ type, number, resources }: Answer) {
  return create(DiscoveryResponseSchema, {
    typeUrl: typeUrlOf(type),
    nonce: `n${number}`,
    versionInfo: String(number),
    resources: resources.map((each) =>
      each.any === undefined || each.ttlMs !== undefined ? anyPack(ResourceSchema, wrapped(each)) : each.any,
    ),
  });
}

function wrapped({ name, version, any, ttlMs }: ScriptedResource) {
  return create(ResourceSchema, {
    name,
    version,
    ...(any === undefined ? {} : { resource: any }),
    ...(ttlMs === undefined ? {} : { ttl: durationFromMs(ttlMs) }),
  });
}

function scriptedStream<Q extends { readonly typeUrl: string }, R>(
  requests: AsyncIterable<Q>,
  respond: (answer: Answer) => R,
): {
  stream: ScriptedStream<Q>;
  responses: PushableIterable<R>;
} {
  const responses = new PushableIterable<R>();
  const arrived = new Map<XdsShortName, Q[]>();
  const waiting = new Map<XdsShortName, ((request: Q) => void)[]>();
  let number = 0;
  void (async () => {
    for await (const request of requests) {
      const type = shortNameOf(request.typeUrl);
      if (type === null) continue;
      const reader = waiting.get(type)?.shift();
      if (reader !== undefined) reader(request);
      else arrived.set(type, [...(arrived.get(type) ?? []), request]);
    }
  })().catch(() => responses.end());
  return {
    responses,
    stream: {
      request(type) {
        const request = arrived.get(type)?.shift();
        if (request !== undefined) return Promise.resolve(request);
        return new Promise((resolve) => waiting.set(type, [...(waiting.get(type) ?? []), resolve]));
      },
      send(type, resources, removed = []) {
        number += 1;
        responses.push(respond({ type, number, resources, removed }));
        return `n${number}`;
      },
      unread: (type) => arrived.get(type)?.length ?? 0,
    },
  };
}
