import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatResponseFlags } from '@flotilla/stream';
import { closedPort, eventually, openUpstream, RawClient, request, type Script, type Upstream } from './peers.ts';
import { httpListener, openWorld, route, type JsonObject, type World } from './world.ts';

let world: World;
let upstreams: Upstream[];

beforeEach(() => {
  world = openWorld();
  upstreams = [];
});

afterEach(async () => {
  await world.close();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
});

async function start(script: Script, action: JsonObject = {}, manager: JsonObject = {}, hosts = 1) {
  for (let index = 0; index < hosts; index++) upstreams.push(await openUpstream(script));
  world.cluster(
    'up',
    upstreams.map(({ port }) => port),
  );
  return world.listen(httpListener([route('/', { cluster: 'up', ...action })], manager));
}

const failing =
  (failures: number, status = 503): Script =>
  ({ socket }, index) => {
    if (index < failures) socket.write(`HTTP/1.1 ${status} No\r\ncontent-length: 2\r\n\r\nno`);
    else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes');
  };

const flags = () => formatResponseFlags(world.records.at(-1)?.responseFlags ?? 0);
const retries = (retryOn: string, more: JsonObject = {}): JsonObject => ({
  timeout: '0s',
  retryPolicy: { retryOn, numRetries: 2, ...more },
});

describe('retries', () => {
  it('try again until the upstream answers well, with the whole body', async () => {
    const port = await start(failing(2), retries('5xx'));
    const response = await world.passTimeUntil(request(port, 'POST /', {}, 'body'));
    expect(response).toMatchObject({ status: 200, body: 'yes' });
    expect(upstreams[0]?.seen.map(({ body }) => body.toString())).toEqual(['body', 'body', 'body']);
    expect(world.records[0]).toMatchObject({ attemptCount: 3, responseFlags: 0 });
  });

  it.each([
    ['GET', 'reset-idempotent', 200, 2],
    ['POST', 'reset-idempotent', 503, 1],
    ['GET', 'reset-before-request', 503, 1],
  ])('after an upstream that ends without an answer: %s, on %s', async (method, retryOn, status, sent) => {
    const port = await start(({ socket }, index) => {
      if (index === 0) socket.end();
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes');
    }, retries(retryOn));
    expect(await world.passTimeUntil(request(port, `${method} /`))).toMatchObject({ status });
    expect(upstreams[0]?.seen).toHaveLength(sent);
  });

  it('end when their number is used up: the last answer goes to the client (URX)', async () => {
    const port = await start(failing(9), retries('5xx'));
    const response = await world.passTimeUntil(request(port, 'GET /'));
    expect(response).toMatchObject({ status: 503, body: 'no' });
    expect(upstreams[0]?.seen).toHaveLength(3);
    expect(flags()).toBe('URX');
  });

  it.each([
    ['5xx', 500, 3],
    ['gateway-error', 500, 1],
    ['gateway-error', 502, 3],
    ['retriable-4xx', 409, 3],
    ['retriable-4xx', 404, 1],
    ['connect-failure', 503, 1],
    ['retriable-status-codes', 418, 3],
  ])('%s on %i means %i tries', async (retryOn, status, tries) => {
    const port = await start(failing(9, status), retries(retryOn, { retriableStatusCodes: [418] }));
    await world.passTimeUntil(request(port, 'GET /'));
    expect(upstreams[0]?.seen).toHaveLength(tries);
  });

  it('retry a connection that is reset', async () => {
    const port = await start(({ socket }, index) => {
      if (index === 0) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes');
    }, retries('reset'));
    expect(await world.passTimeUntil(request(port, 'GET /'))).toMatchObject({ status: 200 });
  });

  it('go to another host where the policy says so', async () => {
    const port = await start(
      failing(1),
      retries('5xx', {
        numRetries: 1,
        hostSelectionRetryMaxAttempts: 9,
        retryHostPredicate: [
          {
            name: 'envoy.retry_host_predicates.previous_hosts',
          },
        ],
      }),
      {},
      2,
    );
    for (let index = 0; index < 4; index++) await world.passTimeUntil(request(port, 'GET /'));
    for (const { seen } of upstreams) expect(seen.length).toBeGreaterThan(0);
  });

  it('tell the upstream which attempt this is', async () => {
    upstreams.push(await openUpstream(failing(1)));
    world.cluster('up', [upstreams[0]?.port ?? 0]);
    const port = await world.listen(
      httpListener([], {
        routeConfig: {
          name: 'r',
          virtualHosts: [
            {
              name: 'v',
              domains: ['*'],
              includeRequestAttemptCount: true,
              includeAttemptCountInResponse: true,
              routes: [route('/', { cluster: 'up', ...retries('5xx') })],
            },
          ],
        },
      }),
    );
    const response = await world.passTimeUntil(request(port, 'GET /'));
    expect(upstreams[0]?.seen.map(({ head }) => head.headers.get('x-envoy-attempt-count'))).toEqual(['1', '2']);
    expect(response.headers['x-envoy-attempt-count']).toBe('2');
  });

  it('stop when the body is more than the buffer holds', async () => {
    upstreams.push(await openUpstream(failing(9)));
    world.cluster('up', [upstreams[0]?.port ?? 0]);
    const port = await world.listen(
      httpListener([route('/', { cluster: 'up', ...retries('5xx') })], {}, { perConnectionBufferLimitBytes: 1000 }),
    );
    await world.passTimeUntil(request(port, 'POST /', {}, 'x'.repeat(2000)));
    expect(upstreams[0]?.seen).toHaveLength(1);
  });
});

describe('an upstream that cannot be reached', () => {
  it('refuses: 503 (UF)', async () => {
    world.cluster('up', [await closedPort()]);
    const port = await world.listen(httpListener([route('/', { cluster: 'up' })]));
    const response = await world.passTimeUntil(request(port, 'GET /'));
    expect(response).toMatchObject({
      status: 503,
      body: 'upstream connect error or disconnect/reset before headers. reset reason: remote connection failure',
    });
    expect(flags()).toBe('UF');
  });

  it('refuses every retry: 503 (URX,UF)', async () => {
    world.cluster('up', [await closedPort()]);
    const port = await world.listen(httpListener([route('/', { cluster: 'up', ...retries('connect-failure') })]));
    const response = await world.passTimeUntil(request(port, 'GET /'));
    expect(response.body).toContain('retried and the latest reset reason: remote connection failure');
    expect(flags()).toBe('URX,UF');
  });

  it('has no hosts: 503 (UH)', async () => {
    world.cluster('up', []);
    const port = await world.listen(httpListener([route('/', { cluster: 'up' })]));
    expect(await request(port, 'GET /')).toMatchObject({ status: 503, body: 'no healthy upstream' });
    expect(flags()).toBe('UH');
  });

  it('is a cluster that does not exist: 503 (NC), or what the route says', async () => {
    const port = await world.listen(
      httpListener([
        route('/502', { cluster: 'none', clusterNotFoundResponseCode: 'NOT_FOUND' }),
        route('/', { cluster: 'none' }),
      ]),
    );
    expect(await request(port, 'GET /')).toMatchObject({ status: 503, body: '' });
    expect(await request(port, 'GET /502')).toMatchObject({ status: 404 });
    expect(flags()).toBe('NC');
  });

  it('answers a gRPC call with a gRPC status', async () => {
    world.cluster('up', []);
    const port = await world.listen(httpListener([route('/', { cluster: 'up' })]));
    const response = await request(port, 'POST /a.B/C', { 'content-type': 'application/grpc' });
    expect(response).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/grpc', 'grpc-status': '14', 'grpc-message': 'no healthy upstream' },
    });
  });
});

describe('time-outs', () => {
  const silent: Script = () => undefined;

  it('of the route: 504 (UT)', async () => {
    const port = await start(silent, { timeout: '2s' });
    const before = world.clock.now();
    const response = await world.passTimeUntil(request(port, 'GET /'), 50);
    expect(response).toMatchObject({ status: 504, body: 'upstream request timeout' });
    expect(world.clock.now() - before).toBeGreaterThanOrEqual(2000);
    expect(world.records[0]).toMatchObject({ responseCodeDetails: 'response_timeout' });
    expect(flags()).toBe('UT');
  });

  it('of each try: tries again, then 504 (URX,UT)', async () => {
    const port = await start(silent, retries('5xx', { numRetries: 1, perTryTimeout: '0.5s' }));
    const response = await world.passTimeUntil(request(port, 'GET /'), 50);
    expect(response).toMatchObject({ status: 504 });
    expect(upstreams[0]?.seen).toHaveLength(2);
    expect(flags()).toBe('URX,UT');
  });

  it('tell the upstream how long it has', async () => {
    const port = await start(({ socket }) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n'), { timeout: '2s' });
    await request(port, 'GET /');
    expect(upstreams[0]?.seen[0]?.head.headers.get('x-envoy-expected-rq-timeout-ms')).toBe('2000');
  });

  it('of an idle stream: 504 (SI)', async () => {
    const port = await start(silent, { timeout: '0s', idleTimeout: '3s' });
    const response = await world.passTimeUntil(request(port, 'GET /'), 100);
    expect(response).toMatchObject({ status: 504, body: 'stream timeout' });
    expect(flags()).toBe('SI');
  });

  it('of a request that does not come to its end: 408', async () => {
    const port = await start(silent, {}, { requestTimeout: '2s' });
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab');
    await eventually(() => world.counter('http.test.downstream_rq_active') === 1);
    expect(await world.passTimeUntil(client.ended(), 100)).toMatch(/^HTTP\/1\.1 408 /);
    client.close();
  });

  it('of a head that does not come to its end: 408', async () => {
    const port = await start(silent, {}, { requestHeadersTimeout: '2s' });
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nhost:');
    expect(await world.passTimeUntil(client.ended(), 100)).toMatch(/^HTTP\/1\.1 408 /);
    client.close();
  });

  it.each([
    ['head', 'GET / HTTP/1.1\r\nhost:', /^HTTP\/1\.1 408 /],
    ['preface of HTTP/2', 'PRI * H', /^$/],
  ])('of 300 halves of a %s, where strangers call and nobody said how long: each is cut', async (_, half, answer) => {
    const port = await start(silent, {}, { useRemoteAddress: true });
    const clients = await Promise.all(Array.from({ length: 300 }, () => RawClient.connect(port)));
    for (const client of clients) client.send(half);
    await eventually(() => world.counter('http.test.downstream_cx_active') === (half.startsWith('GET') ? 300 : 0));
    // An idle connection may stay for an hour.
    const startedMs = world.clock.monotonicMs();
    const answers = await world.passTimeUntil(Promise.all(clients.map((client) => client.ended())), 500);
    expect(world.clock.monotonicMs() - startedMs).toBeLessThan(1_800_000);
    expect(answers.filter((text) => !answer.test(text))).toEqual([]);
    for (const client of clients) client.close();
  });

  it('of an idle connection: it is closed', async () => {
    const port = await start(silent, {}, { commonHttpProtocolOptions: { idleTimeout: '10s' } });
    const client = await RawClient.connect(port);
    expect(await world.passTimeUntil(client.ended(), 500)).toBe('');
    client.close();
  });
});
