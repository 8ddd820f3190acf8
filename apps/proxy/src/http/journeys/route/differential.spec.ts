import { TEST_SURROUNDINGS } from '@flotilla/format/testing';
import { readDataSource } from '../../../base/data-source.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HeaderList } from '@flotilla/http-codec';
import { seededRandom } from '@flotilla/runtime';
import { withPeer } from '@flotilla/testing';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { compileRouteTable, type RoutableRequest, type RouteTable } from '@flotilla/route';
import { type RunningEnvoy, startEnvoy, type TestRequest } from './envoy.ts';
import { hostRequests, randomDomains, randomRequest, randomTable } from './random-routes.ts';

const SEED = Number(process.env['FLOTILLA_SEED'] ?? 4711);
const VIRTUAL_HOSTS = 150;
const REQUESTS = 3_000;

function compile(config: RouteConfiguration): RouteTable {
  return compileRouteTable(config, {
    hasCluster: () => false,
    compilePerFilterConfig: () => null,
    readDataSource,
    surroundings: TEST_SURROUNDINGS,
  });
}

function routable(request: TestRequest): RoutableRequest {
  const headers = new HeaderList();
  // The parser trims white space around a value, as every HTTP parser must.
  for (const [name, value] of request.headers) headers.append(name, value.trim());
  const { method, path, authority } = request;
  return { method, path, authority, scheme: 'http', headers, clientCertificate: null };
}

function ours(table: RouteTable, request: TestRequest): string {
  return table.match(routable(request), 0.5)?.name ?? '';
}

withPeer('envoy', (program) => {
  describe(`routes as Envoy does (seed ${SEED})`, () => {
    const config = randomTable(seededRandom(SEED), VIRTUAL_HOSTS);
    let envoy: RunningEnvoy | null = null;
    beforeAll(async () => void (envoy = await startEnvoy(program, config, null)));
    afterAll(() => envoy?.close());

    it('finds the same route for random requests on random tables', async () => {
      const table = compile(config);
      const random = seededRandom(SEED + 1);
      const requests = Array.from({ length: REQUESTS }, () => randomRequest(random, VIRTUAL_HOSTS));
      const differences: unknown[] = [];
      if (envoy === null) throw new Error('envoy is not there');
      let found = 0;
      for (const request of requests) {
        const [theirs, own] = [(await envoy.send(request)).body, ours(table, request)];
        if (own !== '') found += 1;
        if (theirs !== own) differences.push({ request, theirs, own });
      }
      expect(differences.slice(0, 5)).toEqual([]);
      expect(found).toBeGreaterThan(REQUESTS / 5);
    });
  });

  describe.each([1, 2, 3, 4])('searches domains as Envoy does (table %i)', (table) => {
    it.each([false, true])('ignoring ports: %s', async (ignorePort) => {
      const config = randomDomains(seededRandom(SEED + table), ignorePort);
      const envoy = await startEnvoy(program, config, null);
      try {
        const compiled = compile(config);
        for (const request of hostRequests()) {
          expect([request.authority, ours(compiled, request)]).toEqual([
            request.authority,
            (await envoy.send(request)).body,
          ]);
        }
      } finally {
        await envoy.close();
      }
    });
  });
});
