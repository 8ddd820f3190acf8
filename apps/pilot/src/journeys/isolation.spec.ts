import { fromBinary } from '@bufbuild/protobuf';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '@connectrpc/connect';
import { PilotService } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { sidecarNode } from '@flotilla/translate/testing';
import { DeltaTestClient } from '../testing/delta-client.ts';
import { SotwTestClient } from '../testing/sotw-client.ts';
import { startWorld, type World } from '../testing/world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${name} }
spec: { clusterIP: 10.0.0.${name.charCodeAt(0)}, ports: [{ name: http, port: 80 }] }
`;

/** A rule whose host is the namespace's own; `x` stands in a header of each route. */
const rule = (name: string, x: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${name} }
spec:
  hosts: [${name}]
  http: [{ route: [{ destination: { host: ${name} } }], headers: { request: { set: { x: '${x}' } } } }]
`;

const rules = (x: string): string => NAMES.map((name) => rule(name, x)).join('---');

/** An older data plane: it refuses whatever holds the text, and says no more than that. */
const refusing =
  (marker: string) =>
  (_type: string, _names: readonly string[], contents: readonly Uint8Array[]): string | null =>
    contents.some((content) => Buffer.from(content).includes(marker)) ? 'Proto constraint validation failed' : null;

type TestClient = DeltaTestClient | SotwTestClient;

describe.each([
  ['delta', DeltaTestClient],
  ['sotw', SotwTestClient],
] as const)('a resource that a data plane refuses, by %s', (_protocol, Client) => {
  let world: World;
  const clients: TestClient[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await world.close();
  });

  const connect = (agent: string, marker: string, workload = agent): TestClient => {
    const client = new Client({
      address: world.pilot.xds,
      node: { ...sidecarNode({ workload }), userAgentName: agent },
      judge: refusing(marker),
    });
    clients.push(client);
    client.subscribe('CDS');
    client.subscribe('RDS', '80');
    return client;
  };

  /** What the header of each host's route says, as `a=1`. */
  const routesOf = (client: TestClient): string[] => {
    const routes = client.contents.get('RDS')?.get('80');
    if (routes === undefined) return [];
    return fromBinary(RouteConfigurationSchema, routes).virtualHosts.flatMap(({ name, routes }) =>
      name.startsWith('allow_any')
        ? []
        : [`${name[0] ?? ''}=${routes[0]?.requestHeadersToAdd[0]?.header?.value ?? ''}`],
    );
  };
  const has = (client: TestClient, ...routes: string[]): Promise<void> =>
    client.until(() => routesOf(client).join() === routes.join(), `routes ${routes.join()}`);

  const withheld = async () => {
    const { withheld: list } = await createClient(PilotService, world.api).listProxies({});
    return list.map(
      ({ agent, namespace, name, keptVersion, suspected }) =>
        `${agent} ${namespace}/${name} ${keptVersion === 0n ? 'left out' : 'kept'}${suspected ? '?' : ''}`,
    );
  };

  it('stays at its last good version, while the changes of others arrive', async () => {
    world = await startWorld([...NAMES.map(service), rules('1')].join('---'));
    const old = connect('old', 'bad');
    const fresh = connect('new', 'nothing');
    await has(old, 'a=1', 'b=1', 'c=1', 'd=1', 'e=1');
    world.galley.write(rule('b', 'bad'));
    await has(fresh, 'a=1', 'b=bad', 'c=1', 'd=1', 'e=1');
    world.galley.write(rule('d', '2'));
    await has(old, 'a=1', 'b=1', 'c=1', 'd=2', 'e=1');
    await has(fresh, 'a=1', 'b=bad', 'c=1', 'd=2', 'e=1');
    expect(await withheld()).toEqual(['old b/b kept']);
    const late = connect('old', 'bad', 'late');
    await has(late, 'a=1', 'b=1', 'c=1', 'd=2', 'e=1');
    world.galley.write(rule('b', '3'));
    await has(old, 'a=1', 'b=3', 'c=1', 'd=2', 'e=1');
    expect(await withheld()).toEqual([]);
  });

  it('is found among several that came at once', async () => {
    world = await startWorld([...NAMES.map(service), rules('1')].join('---'));
    const old = connect('old', 'bad');
    await has(old, 'a=1', 'b=1', 'c=1', 'd=1', 'e=1');
    world.galley.write(
      [rule('a', '2'), rule('b', '2'), rule('c', 'bad'), rule('d', '2'), rule('e', 'bad')].join('---'),
    );
    await has(old, 'a=2', 'b=2', 'c=1', 'd=2', 'e=1');
    await expect.poll(withheld).toEqual(['old c/c kept', 'old e/e kept']);
  });

  it('is left out of a data plane that never took another version of it', async () => {
    world = await startWorld([...NAMES.map(service), rules('1'), rule('c', 'bad')].join('---'));
    const old = connect('old', 'bad');
    await has(old, 'a=1', 'b=1', 'c=', 'd=1', 'e=1');
    await expect.poll(withheld).toEqual(['old c/c left out']);
  });
});
