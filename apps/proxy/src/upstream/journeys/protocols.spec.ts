import { once } from 'node:events';
import { createServer as createH1Server } from 'node:https';
import { createSecureServer } from 'node:http2';
import { createServer as createPlainServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { get, openWorld, send, staticCluster } from './world.ts';

let certificate: WorkloadCertificate;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  const authority = await createTestAuthority();
  certificate = await authority.issue({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'web' });
});

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => server.close());
  return (server.address() as AddressInfo).port; // a listening TCP server
}

/** Says which version of HTTP each request came by. */
async function start(kind: 'tls of both versions' | 'tls of HTTP/1.1' | 'plain HTTP/1.1'): Promise<number> {
  const answer = (request: { httpVersion: string }, response: { end(text: string): unknown }) =>
    void response.end(request.httpVersion);
  const { chainPem: cert, privateKeyPem: key } = certificate;
  switch (kind) {
    case 'tls of both versions':
      return listen(createSecureServer({ cert, key, allowHTTP1: true }, answer));
    case 'tls of HTTP/1.1':
      return listen(createH1Server({ cert, key }, answer));
    case 'plain HTTP/1.1':
      return listen(createPlainServer(answer));
  }
}

type Choice = HttpProtocolOptions['upstreamProtocolOptions'];

function clusterOf(port: number, choice: Parameters<typeof choiceOf>[0], isTls: boolean) {
  const options = create(HttpProtocolOptionsSchema, { upstreamProtocolOptions: choiceOf(choice) });
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return staticCluster([port], {
    typedExtensionProtocolOptions: { [name]: anyPack(HttpProtocolOptionsSchema, options) },
    ...(isTls
      ? {
          transportSocket: {
            name: 'tls',
            configType: {
              case: 'typedConfig' as const,
              value: anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, { sni: 'web.test' })),
            },
          },
        }
      : {}),
  });
}

function choiceOf(choice: 'auto' | 'downstream' | 'http2' | 'http1'): Choice {
  const explicit = (protocol: 'http2ProtocolOptions' | 'httpProtocolOptions') =>
    create(HttpProtocolOptionsSchema, {
      upstreamProtocolOptions: {
        case: 'explicitHttpConfig',
        value: { protocolConfig: { case: protocol, value: {} } },
      },
    }).upstreamProtocolOptions;
  switch (choice) {
    case 'http1':
      return explicit('httpProtocolOptions');
    case 'http2':
      return explicit('http2ProtocolOptions');
    case 'auto':
      return create(HttpProtocolOptionsSchema, { upstreamProtocolOptions: { case: 'autoConfig', value: {} } })
        .upstreamProtocolOptions;
    case 'downstream':
      return create(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: {} },
      }).upstreamProtocolOptions;
  }
}

describe('the version of HTTP that an upstream is spoken to with', () => {
  it.each<[Parameters<typeof start>[0], Parameters<typeof choiceOf>[0], boolean, string]>([
    ['tls of both versions', 'http1', false, '1.1'],
    ['tls of both versions', 'http2', false, '2.0'],
    ['tls of both versions', 'auto', false, '2.0'],
    ['tls of HTTP/1.1', 'auto', false, '1.1'],
    ['plain HTTP/1.1', 'auto', true, '1.1'],
    ['tls of both versions', 'downstream', true, '2.0'],
    ['tls of both versions', 'downstream', false, '1.1'],
  ])('%s, %s, a client of HTTP/2: %s', async (kind, choice, isHttp2, version) => {
    const world = openWorld();
    endings.push(() => world.manager.close());
    world.manager.apply(clusterOf(await start(kind), choice, kind !== 'plain HTTP/1.1'));
    // The first request finds it out, later ones know.
    const first = await Promise.all([1, 2, 3].map(() => send(world.cluster(), get('/', { isHttp2 }))));
    expect(first.map(({ body }) => body)).toEqual([version, version, version]);
    expect((await send(world.cluster(), get('/', { isHttp2, method: 'POST', body: 'chunked' }))).body).toBe(version);
  });

  it('a server that cannot be reached fails whoever waits to know', async () => {
    const world = openWorld();
    endings.push(() => world.manager.close());
    const port = await start('plain HTTP/1.1');
    const closed = createPlainServer();
    const gone = await listen(closed);
    await new Promise((resolve) => closed.close(resolve));
    expect(gone).not.toBe(port);
    world.manager.apply(clusterOf(gone, 'auto', false));
    expect((await send(world.cluster(), get('/'))).failure).toBe('connect-failure');
    expect((await send(world.cluster(), get('/'))).failure).toBe('connect-failure');
  });
});
