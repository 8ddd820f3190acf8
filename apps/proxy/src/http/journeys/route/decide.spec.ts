import { Agent, createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, createRegistry, fromJson, toJson } from '@bufbuild/protobuf';
import { decide, type Decision, type Resources } from '@flotilla/decide';
import { type Random, seededRandom } from '@flotilla/runtime';
import { withPeer } from '@flotilla/testing';
import { type Route, RouteActionSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpListener, openWorld } from '../world.ts';
import { type RunningEnvoy, send, startEnvoy, type TestRequest } from './envoy.ts';
import { randomRequest, randomTable } from './random-routes.ts';

const SEED = Number(process.env['FLOTILLA_SEED'] ?? 4711);
const REQUESTS = Number(process.env['FLOTILLA_DECISIONS'] ?? 500);
const REQUESTS_PER_TABLE = 500;
const VIRTUAL_HOSTS = 60;
const PORT = 8080;

const registry = createRegistry(HttpConnectionManagerSchema, HTTPFaultSchema, RouterSchema);

/** A random table of which some routes forward: to a name of their own, by a path that is rewritten. */
function tableOf(random: Random): RouteConfiguration {
  const config = randomTable(random, VIRTUAL_HOSTS);
  for (const { routes } of config.virtualHosts) for (const route of routes) if (random() < 0.4) forward(route, random);
  return config;
}

function forward(route: Route, random: Random): void {
  const value = create(RouteActionSchema, {
    clusterSpecifier: { case: 'cluster', value: 'upstream' },
    hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: `${route.name}.test` },
    prefixRewrite: random() < 0.5 ? '/rewritten' : '',
  });
  route.action = { case: 'route', value };
}

/** What a client sees of an answer. */
function seenOf({ http, upstream }: Decision): string {
  const route = http?.route ?? null;
  if (route === null) return '404 ';
  if (route.kind === 'forward') return `200 ${upstream?.cluster} ${route.authority} ${route.path}`;
  return `${route.status} ${route.kind === 'direct' ? route.body : ''}`;
}

withPeer('envoy', (program) => {
  describe(`decisions (seed ${SEED}, ${REQUESTS} requests)`, () => {
    const upstream: Server = createServer((request, response) => {
      response.end(`upstream ${request.headers.host} ${request.url}`);
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    let upstreamPort = 0;
    beforeAll(async () => {
      await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
      // A listening TCP server always has an AddressInfo.
      upstreamPort = (upstream.address() as AddressInfo).port;
    });
    afterAll(() => {
      agent.destroy();
      upstream.close();
    });

    it('are what the proxy does, and what Envoy does', async () => {
      const random = seededRandom(SEED);
      const differences: unknown[] = [];
      let forwarded = 0;
      for (let left = REQUESTS; left > 0; left -= REQUESTS_PER_TABLE) {
        const config = tableOf(random);
        const listener = httpListener([], { routeConfig: toJson(RouteConfigurationSchema, config) });
        const world = openWorld();
        let envoy: RunningEnvoy | null = null;
        try {
          world.cluster('upstream', [upstreamPort]);
          const port = await world.listen(listener);
          envoy = await startEnvoy(program, config, upstreamPort);
          const resources = resourcesOf(listener);
          for (let at = 0; at < Math.min(left, REQUESTS_PER_TABLE); at++) {
            const request = randomRequest(random, VIRTUAL_HOSTS);
            const decided = seenOf(decide(resources, questionOf(request)));
            const [ours, theirs] = await Promise.all([send(agent, port, request), envoy.send(request)]);
            const seen = [ours, theirs].map(({ status, body }) => `${status} ${body}`);
            if (decided.includes('upstream')) forwarded += 1;
            if (seen.some((each) => each !== decided)) differences.push({ request, decided, seen });
          }
        } finally {
          await envoy?.close();
          await world.close();
        }
      }
      expect(differences.slice(0, 5)).toEqual([]);
      expect(forwarded).toBeGreaterThan(REQUESTS / 20);
    }, 600_000);
  });
});

function resourcesOf(json: ReturnType<typeof httpListener>): Resources {
  const address = { socketAddress: { address: '127.0.0.1', portValue: PORT } };
  const listener = fromJson(ListenerSchema, { ...json, address }, { registry });
  return { listeners: [listener], routes: [], clusters: [], endpoints: [] };
}

function questionOf({ method, path, authority, headers }: TestRequest): Parameters<typeof decide>[1] {
  return {
    connection: {
      destination: { host: '127.0.0.1', port: PORT },
      source: { host: '127.0.0.1', port: 1 },
      tls: null,
    },
    // The parser trims white space around a value, as every HTTP parser must.
    request: { method, path, authority, headers: headers.map(([name, value]) => [name, value.trim()]) },
  };
}
