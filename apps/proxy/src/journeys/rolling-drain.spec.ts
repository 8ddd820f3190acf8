import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, request as httpRequest } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { freePorts } from '@flotilla/testing';
import { type ProxyProcess, startProxyProcess } from './proxy-process.ts';

/*
 * Three proxies behind one that spreads requests over them, as replicas of a gateway behind a client's sidecar. Each is
 * asked to end, ends, and comes back, while requests of both versions of HTTP keep coming. The one before them retries
 * as a mesh does by default: connections that fail and streams that are refused, nothing that an upstream began with.
 */

const REPLICAS = 3;
/** A burst of both versions every ten milliseconds: 500 requests/s. */
const BURST_MS = 10;
const TYPE = 'type.googleapis.com/envoy.extensions';
const endings: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

it('a rolling restart of three proxies under 500 requests/s loses none, by HTTP/1 and HTTP/2', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-rolling-'));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const upstream = createServer((_request, response) => void response.end('hello'));
  const upstreamPort = await listen(upstream);
  endings.push(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const ports = await freePorts(REPLICAS);
  const start = (index: number): Promise<ProxyProcess> =>
    startProxyProcess(folder, `replica-${index}`, bootstrap(ports[index] ?? 0, [upstreamPort], 'once'), [
      '--drain-time',
      '3s',
    ]);
  const replicas = await Promise.all(ports.map((_port, index) => start(index)));
  endings.push(() => Promise.all(replicas.map((replica) => replica.stop())));
  const front = await startProxyProcess(folder, 'front', bootstrap(0, ports, 'mesh'));
  endings.push(() => front.stop());

  const load = startLoad(front.ports.get('web') ?? 0);
  endings.push(() => load.stop());
  await load.answered(200);
  for (let index = 0; index < REPLICAS; index++) {
    await replicas[index]?.stop();
    // It is missed for a while before it is back.
    await load.answered(200);
    replicas[index] = await start(index);
    await load.answered(200);
  }
  const { sent, failures } = await load.stop();
  console.log(`rolling restart: ${sent} requests, ${failures.length} failed`);
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(1000);
}, 90_000);

interface Load {
  /** Resolves when so many more requests were answered. */
  answered(count: number): Promise<void>;
  /** Sends no more, and waits for what is on its way. */
  stop(): Promise<{ readonly sent: number; readonly failures: readonly string[] }>;
}

function startLoad(port: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const failures: string[] = [];
  const waiting: { readonly at: number; readonly resolve: () => void }[] = [];
  let sent = 0;
  let done = 0;
  let burst = 0;
  let whenDone: (() => void) | null = null;
  let isStopped = false;

  const finished = (failure: string | null): void => {
    done += 1;
    if (failure !== null) failures.push(failure);
    for (const each of waiting) if (done >= each.at) each.resolve();
    if (isStopped && done === sent) whenDone?.();
  };
  const sendH1 = (): void => {
    sent += 1;
    const request = httpRequest({ host: '127.0.0.1', port, agent, path: '/' }, (response) => {
      response.resume();
      response.on('error', (error) => finished(`HTTP/1 response: ${error.message}`));
      response.on('end', () => finished(response.statusCode === 200 ? null : `HTTP/1: ${response.statusCode}`));
    });
    request.on('error', (error) => finished(`HTTP/1: ${error.message}`));
    request.end();
  };
  const sendH2 = (): void => {
    sent += 1;
    let status = 0;
    const stream = session.request({ ':path': '/' });
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('error', () => undefined).resume();
    stream.on('close', () =>
      finished(status === 200 && stream.rstCode === 0 ? null : `HTTP/2: ${status} ${stream.rstCode}`),
    );
  };
  const timer = setInterval(() => {
    // Three of one and two of the other in turn.
    burst += 1;
    for (let index = 0; index < 5; index++)
      if ((index + burst) % 2 === 0) sendH1();
      else sendH2();
  }, BURST_MS);
  return {
    answered: (count) => new Promise((resolve) => waiting.push({ at: done + count, resolve })),
    async stop() {
      clearInterval(timer);
      isStopped = true;
      if (done < sent) await new Promise<void>((resolve) => (whenDone = resolve));
      agent.destroy();
      session.destroy();
      return { sent, failures };
    },
  };
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // a listening TCP server
}

/** `mesh`: speaks to the upstreams as the client does to it, and retries by a mesh's defaults (no limit on retries). */
function bootstrap(port: number, upstreams: readonly number[], kind: 'once' | 'mesh'): string {
  const endpoints = upstreams.map(
    (portValue) => `{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${portValue} } } } }`,
  );
  const retry =
    kind === 'mesh'
      ? ', retry_policy: { retry_on: "connect-failure,refused-stream,unavailable,cancelled", num_retries: 2, retry_host_predicate: [{ name: envoy.retry_host_predicates.previous_hosts, typed_config: { "@type": ' +
        `${TYPE}.retry.host.previous_hosts.v3.PreviousHostsPredicate } }], host_selection_retry_max_attempts: 5 }`
      : '';
  const protocol =
    kind === 'mesh'
      ? 'use_downstream_protocol_config: { http2_protocol_options: {} }'
      : 'explicit_http_config: { http_protocol_options: {} }';
  return `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
    - name: web
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                http_filters: [{ name: router, typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router } }]
                route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: up${retry} } }] }] }
  clusters:
    - name: up
      type: STATIC
      connect_timeout: 1s
      circuit_breakers: { thresholds: [{ max_retries: 4294967295 }] }
      load_assignment: { cluster_name: up, endpoints: [{ lb_endpoints: [${endpoints.join(', ')}] }] }
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": ${TYPE}.upstreams.http.v3.HttpProtocolOptions
          ${protocol}
`;
}
