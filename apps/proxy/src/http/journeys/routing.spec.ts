import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileRouteTable } from '@flotilla/route';
import { formatResponseFlags } from '@flotilla/stream';
import { create } from '@bufbuild/protobuf';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { routeOptions } from '../route-options.ts';
import { eventually, openUpstream, RawClient, request, type Upstream } from './peers.ts';
import { faultConfig, httpListener, openWorld, route, type JsonObject, type World } from './world.ts';

let world: World;
let upstream: Upstream;

beforeEach(async () => {
  world = openWorld();
  upstream = await openUpstream();
  world.cluster('up', [upstream.port]);
});

afterEach(async () => {
  await world.close();
  await upstream.close();
});

const flags = () => formatResponseFlags(world.records.at(-1)?.responseFlags ?? 0);
const withFault = (config: JsonObject): JsonObject => ({
  typedPerFilterConfig: { 'envoy.filters.http.fault': faultConfig(config) },
});
const always = { numerator: 100 };

describe('faults', () => {
  it('abort with a status and never reach the upstream (FI)', async () => {
    const abort = { httpStatus: 418, percentage: always };
    const port = await world.listen(httpListener([route('/', { cluster: 'up' }, withFault({ abort }))]));
    expect(await request(port, 'GET /')).toMatchObject({ status: 418, body: 'fault filter abort' });
    expect(upstream.seen).toEqual([]);
    expect(flags()).toBe('FI');
    expect(world.records[0]?.responseCodeDetails).toBe('fault_filter_abort');
  });

  it('abort gRPC calls with a gRPC status', async () => {
    const abort = { grpcStatus: 5, percentage: always };
    const port = await world.listen(httpListener([route('/', { cluster: 'up' }, withFault({ abort }))]));
    const response = await request(port, 'POST /', { 'content-type': 'application/grpc' });
    expect(response.headers).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'fault filter abort' });
  });

  it('delay a request and its body, then let it pass (DI)', async () => {
    const delay = { fixedDelay: '7s', percentage: always };
    const port = await world.listen(httpListener([route('/', { cluster: 'up' }, withFault({ delay }))]));
    const before = world.clock.now();
    const answer = request(port, 'POST /', {}, 'body');
    await eventually(() => world.counter('http.test.fault.active_faults') === 1);
    expect(await world.passTimeUntil(answer, 100)).toMatchObject({ status: 200 });
    expect(world.clock.now() - before).toBeGreaterThanOrEqual(7000);
    expect(upstream.seen[0]?.body.toString()).toBe('body');
    expect(flags()).toBe('DI');
    expect(world.counter('http.test.fault.active_faults')).toBe(0);
  });

  it('end with their client', async () => {
    const delay = { fixedDelay: '7s', percentage: always };
    const port = await world.listen(httpListener([route('/', { cluster: 'up' }, withFault({ delay }))]));
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await eventually(() => world.counter('http.test.fault.active_faults') === 1);
    client.close();
    await eventually(() => world.counter('http.test.fault.active_faults') === 0);
    expect(upstream.seen).toEqual([]);
  });

  it('hit as many requests as their percentage says', async () => {
    const abort = { httpStatus: 500, percentage: { numerator: 30 } };
    const port = await world.listen(httpListener([route('/', { cluster: 'up' }, withFault({ abort }))]));
    let aborted = 0;
    const client = await RawClient.connect(port);
    for (let index = 0; index < 400; index++) {
      client.clear().send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
      const text = await client.until(/hello|abort/);
      if (text.includes('abort')) aborted++;
    }
    client.close();
    expect(aborted).toBeGreaterThan(80);
    expect(aborted).toBeLessThan(160);
  });
});

describe('mirrors', () => {
  it('copy request and body to another cluster and drop what it answers', async () => {
    const shadow = await openUpstream(
      ({ socket }) => void socket.write('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n'),
    );
    world.cluster('shadow', [shadow.port]);
    const mirrored = { cluster: 'up', requestMirrorPolicies: [{ cluster: 'shadow' }] };
    const port = await world.listen(httpListener([route('/', mirrored)]));
    expect(await request(port, 'POST /x', { host: 'a:80' }, 'body')).toMatchObject({ status: 200, body: 'hello' });
    await eventually(() => shadow.seen.length === 1);
    expect(shadow.seen[0]?.head).toMatchObject({ authority: 'a-shadow:80', path: '/x' });
    expect(shadow.seen[0]?.body.toString()).toBe('body');
    expect(upstream.seen[0]?.head.authority).toBe('a:80');
    await shadow.close();
  });
});

describe('routes without an upstream', () => {
  it('redirect', async () => {
    const port = await world.listen(
      httpListener([{ match: { prefix: '/' }, redirect: { hostRedirect: 'b.c', responseCode: 'FOUND' } }]),
    );
    expect(await request(port, 'GET /x?y')).toMatchObject({ status: 302, headers: { location: 'http://b.c/x?y' } });
  });

  it('answer directly', async () => {
    const port = await world.listen(
      httpListener([{ match: { prefix: '/' }, directResponse: { status: 503, body: { inlineString: 'busy' } } }]),
    );
    expect(await request(port, 'GET /')).toMatchObject({ status: 503, body: 'busy' });
    expect(await request(port, 'HEAD /')).toMatchObject({ status: 503, body: '', headers: { 'content-length': '4' } });
    expect(world.records[0]?.responseCodeDetails).toBe('direct_response');
  });

  it('are none: 404 (NR)', async () => {
    const port = await world.listen(httpListener([route('/only', { cluster: 'up' })]));
    expect(await request(port, 'GET /other')).toMatchObject({ status: 404, body: '' });
    expect(flags()).toBe('NR');
  });
});

describe('routes by name', () => {
  it('are looked up when a request begins; one in flight keeps its own', async () => {
    const rds = { rds: { routeConfigName: 'late', configSource: { ads: {} } } };
    const port = await world.listen(httpListener([], rds));
    expect(await request(port, 'GET /')).toMatchObject({ status: 404 });
    const direct = (status: number) =>
      compileRouteTable(
        create(RouteConfigurationSchema, {
          name: 'late',
          virtualHosts: [
            {
              name: 'v',
              domains: ['*'],
              routes: [
                {
                  match: { pathSpecifier: { case: 'prefix', value: '/' } },
                  action: { case: 'directResponse', value: { status } },
                },
              ],
            },
          ],
        }),
        routeOptions(world.ctx),
      );
    world.routes.set('late', direct(201));
    expect(await request(port, 'GET /')).toMatchObject({ status: 201 });
    world.routes.set('late', direct(202));
    expect(await request(port, 'GET /')).toMatchObject({ status: 202 });
  });
});

describe('peer metadata', () => {
  const exchange: JsonObject = {
    name: 'istio.metadata_exchange',
    typedConfig: {
      '@type': 'type.googleapis.com/xds.type.v3.TypedStruct',
      typeUrl: 'type.googleapis.com/io.istio.http.peer_metadata.Config',
    },
  };
  const stats: JsonObject = {
    name: 'istio.stats',
    typedConfig: {
      '@type': 'type.googleapis.com/xds.type.v3.TypedStruct',
      typeUrl: 'type.googleapis.com/stats.PluginConfig',
    },
  };
  const router: JsonObject = {
    name: 'envoy.filters.http.router',
    typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
  };

  it('is taken off on both sides, and not believed without a verified certificate', async () => {
    const httpFilters = [exchange, stats, router];
    const inbound = await world.listen({
      ...httpListener([route('/', { cluster: 'up' })], { httpFilters }, { name: 'in', trafficDirection: 'INBOUND' }),
    });
    world.cluster('in', [inbound]);
    const outbound = await world.listen(
      httpListener([route('/', { cluster: 'in' })], { httpFilters }, { name: 'out', trafficDirection: 'OUTBOUND' }),
    );
    const response = await request(outbound, 'GET /');
    expect(Object.keys(response.headers).filter((name) => name.includes('peer-metadata'))).toEqual([]);
    expect(upstream.seen[0]?.head.headers.has('x-envoy-peer-metadata')).toBe(false);
    await eventually(() => world.records.length === 2);
    expect(world.records.map(({ downstreamPeer }) => downstreamPeer)).toEqual([null, null]);
    expect(world.records.map(({ upstreamPeer }) => upstreamPeer)).toEqual([null, null]);
    expect(world.counter('istio_requests_total')).toBe(2);
  });
});
