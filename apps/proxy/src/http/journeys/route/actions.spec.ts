import { TEST_SURROUNDINGS } from '@flotilla/format/testing';
import { readDataSource } from '../../../base/data-source.ts';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { HeaderList } from '@flotilla/http-codec';
import { withPeer } from '@flotilla/testing';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { StreamInfo } from '@flotilla/stream';
import { compileRouteTable, type RoutableRequest } from '@flotilla/route';
import { ACTION_CASES, type ActionCase } from './action-cases.ts';
import { type RunningEnvoy, startEnvoy } from './envoy.ts';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';

interface Outcome {
  readonly status: number;
  readonly location: string | null;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Runs a case through our table, in the order that the router keeps. */
function ours({ table, request }: ActionCase): Outcome {
  const headers = new HeaderList(request.headers.flat());
  const info = new StreamInfo(PLAIN_CONNECTION, 0, 0);
  info.method = request.method;
  info.path = info.originalPath = request.path;
  info.authority = request.authority;
  info.requestHeaders = headers;
  const routable: RoutableRequest = { ...request, scheme: 'http', headers, clientCertificate: null };
  const compiled = compileRouteTable(table, {
    hasCluster: () => false,
    compilePerFilterConfig: () => null,
    readDataSource,
    surroundings: TEST_SURROUNDINGS,
  });
  const route = compiled.match(routable, 0);
  if (route === null) throw new Error('no route');
  const { action } = route;
  if (action.kind === 'redirect') {
    return { status: action.status, location: action.location(routable), path: '', authority: '', headers: {} };
  }
  if (action.kind !== 'forward') throw new Error(action.kind);
  const choice = action.pick(routable, 0);
  expect(choice.cluster).toBe('upstream');
  choice.request?.(headers, info);
  route.request?.(headers, info);
  action.rewrite?.(routable);
  const combined = Object.fromEntries([...headers].map(([name]) => [name, headers.getAll(name).join(', ')]));
  return { status: 200, location: null, path: routable.path, authority: routable.authority, headers: combined };
}

function check({ expected }: ActionCase, outcome: Outcome): void {
  if ('location' in expected) {
    expect({ location: outcome.location, status: outcome.status }).toEqual(expected);
    return;
  }
  if (expected.path !== undefined) expect(outcome.path).toBe(expected.path);
  if (expected.authority !== undefined) expect(outcome.authority).toBe(expected.authority);
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    expect([name, outcome.headers[name] ?? '']).toEqual([name, value]);
  }
}

describe('route actions', () => {
  it.each(ACTION_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => check(each, ours(each)));
});

withPeer('envoy', (program) => {
  describe('route actions are what Envoy makes of them', () => {
    const upstream = createServer((request, response) => {
      const headers = Object.fromEntries(
        Object.entries(request.headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]),
      );
      response.end(JSON.stringify({ path: request.url, authority: request.headers.host, headers }));
    });
    let port = 0;
    beforeAll(async () => {
      await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
      const address = upstream.address();
      port = typeof address === 'object' && address !== null ? address.port : 0;
    });
    afterAll(() => void upstream.close());

    // One Envoy for all: each case has the table's levels to itself only if it needs them, else a virtual host.
    it.each(ACTION_CASES.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
      let envoy: RunningEnvoy | null = null;
      try {
        envoy = await startEnvoy(program, create(RouteConfigurationSchema, each.table), port);
        const reply = await envoy.send(each.request);
        const echoed = (reply.location === null ? JSON.parse(reply.body) : {}) as Partial<Outcome>;
        check(each, {
          status: reply.status,
          location: reply.location,
          path: echoed.path ?? '',
          authority: echoed.authority ?? '',
          headers: echoed.headers ?? {},
        });
      } finally {
        await envoy?.close();
      }
    });
  });
});
