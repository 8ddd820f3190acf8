import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { shortNameOf, typeUrlOf, type XdsShortName } from '@flotilla/xds';
import { PushableIterable } from '../config/pushable.ts';

export interface ScriptedResource {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
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
export interface ScriptedStream {
  /** The next request of a type; earlier ones of other types stay queued. */
  request(type: XdsShortName): Promise<DeltaDiscoveryRequest>;
  send(type: XdsShortName, resources: readonly ScriptedResource[], removed?: readonly string[]): string;
  /** Requests of a type that have arrived and were not asked for. */
  unread(type: XdsShortName): number;
}

export interface ScriptedAds {
  readonly port: number;
  /** The next stream that a client opens. */
  stream(): Promise<ScriptedStream>;
  /** Cuts every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** A delta ADS server over HTTP/2 on a real socket that says only what the test tells it to. */
export async function startScriptedAds(port = 0): Promise<ScriptedAds> {
  const streams = new PushableIterable<ScriptedStream>();
  const nextStream = streams[Symbol.asyncIterator]();
  const sessions = new Set<ServerHttp2Session>();
  const server: Http2Server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(AggregatedDiscoveryService, {
          deltaAggregatedResources: (requests, context) => {
            const { stream, responses } = scriptedStream(requests);
            context.signal.addEventListener('abort', () => responses.end());
            streams.push(stream);
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
    async stream() {
      const { value } = await nextStream.next();
      if (value === undefined) throw new Error('the server was closed');
      return value;
    },
    cut,
    async close() {
      streams.end();
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function scriptedStream(requests: AsyncIterable<DeltaDiscoveryRequest>): {
  stream: ScriptedStream;
  responses: PushableIterable<DeltaDiscoveryResponse>;
} {
  const responses = new PushableIterable<DeltaDiscoveryResponse>();
  const arrived = new Map<XdsShortName, DeltaDiscoveryRequest[]>();
  const waiting = new Map<XdsShortName, ((request: DeltaDiscoveryRequest) => void)[]>();
  let nonce = 0;
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
        nonce += 1;
        responses.push(
          create(DeltaDiscoveryResponseSchema, {
            typeUrl: typeUrlOf(type),
            nonce: `n${nonce}`,
            systemVersionInfo: String(nonce),
            resources: resources.map(({ name, version, any }) => ({ name, version, resource: any })),
            removedResources: [...removed],
          }),
        );
        return `n${nonce}`;
      },
      unread: (type) => arrived.get(type)?.length ?? 0,
    },
  };
}
