import { create } from '@bufbuild/protobuf';
import { anyPack, AnySchema } from '@bufbuild/protobuf/wkt';
import { silentLogger } from '@flotilla/observe';
import { type Clock, FakeClock, FlotillaError, systemClock } from '@flotilla/runtime';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import {
  Cluster_DiscoveryType,
  type Cluster,
  ClusterSchema,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ApiConfigSource_ApiType } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { type Listener, ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TYPE_URLS } from '@flotilla/xds';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSecretTable } from '../identity/secret-table.ts';
import { resource, type ScriptedAds, type ScriptedStream, startScriptedAds } from '../journeys/scripted-ads.ts';
import { StatsRegistry } from '../base/stats.ts';
import type { CompiledForUse } from './listener-set.ts';
import { openProxyConfig } from './proxy-config.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ADS = { configSourceSpecifier: { case: 'ads' as const, value: {} } };

/** Managers that write down what they are told to do. */
function recorder() {
  const log: string[] = [];
  const bad = (name: string): void => {
    if (name.includes('bad')) throw new FlotillaError('invalid', 'lb_policy: not supported');
  };
  return {
    log,
    clusters: {
      check: (cluster: Cluster) => bad(cluster.name),
      checkEndpoints: () => undefined,
      apply: (cluster: Cluster) => void log.push(`cluster ${cluster.name}`),
      applyEndpoints: ({ clusterName, endpoints }: { clusterName: string; endpoints: unknown[] }) =>
        void log.push(`endpoints ${clusterName} ${endpoints.length}`),
      remove: (name: string) => void log.push(`-cluster ${name}`),
      isWarm: () => true,
      onWarm: () => () => undefined,
    },
    listeners: {
      compile(listener: Listener) {
        bad(listener.name);
        return {
          name: listener.name,
          neededRoutes: new Map(
            listener.statPrefix
              ? [[listener.statPrefix, { statPrefix: `http.x.rds.${listener.statPrefix}`, fetchTimeoutMs: 15_000 }]]
              : [],
          ),
          neededExtensions: new Map(),
        };
      },
      apply({ name }: { name: string }) {
        if (name === 'taken') return Promise.reject(new FlotillaError('system', 'port 80 is in use'));
        log.push(`listener ${name}`);
        return Promise.resolve();
      },
      remove: (name: string) => void log.push(`-listener ${name}`),
    },
  };
}

async function start(server?: ScriptedAds, apiType = ApiConfigSource_ApiType.DELTA_GRPC, clock: Clock = systemClock) {
  const ads = server ?? (await startScriptedAds());
  if (server === undefined) cleanups.push(() => ads.close());
  const targets = recorder();
  const stats = new StatsRegistry();
  const config = openProxyConfig<CompiledForUse & { name: string }>({
    bootstrap: create(BootstrapSchema, {
      node: { id: 'sidecar~1' },
      staticResources: {
        clusters: [
          {
            name: 'xds-grpc',
            loadAssignment: {
              endpoints: [
                {
                  lbEndpoints: [
                    {
                      hostIdentifier: {
                        case: 'endpoint',
                        value: {
                          address: {
                            address: {
                              case: 'socketAddress',
                              value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: ads.port } },
                            },
                          },
                        },
                      },
                    },
                  ],
                },
              ],
            },
          },
        ],
      },
      dynamicResources: {
        adsConfig: {
          apiType,
          grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'xds-grpc' } } }],
        },
        cdsConfig: ADS,
        ldsConfig: ADS,
      },
    }),
    secrets: createSecretTable(),
    hasIdentity: false,
    clusters: targets.clusters,
    listeners: targets.listeners,
    checkExtension: () => ({ typeName: '' }),
    compileRoutes: ({ name, virtualHosts }) => {
      const nowhere = { virtualHost: null, route: null, passedOver: [] };
      if (virtualHosts.some((host) => host.name === 'bad')) throw new FlotillaError('invalid', 'virtual_hosts[0]: bad');
      return { name, clusterNames: new Set(), internalOnlyHeaders: [], match: () => null, explain: () => nowhere };
    },
    stats,
    clock,
    random: () => 0,
    logger: silentLogger,
    drainMs: 0,
  });
  cleanups.push(() => config.close());
  targets.log.splice(0);
  return { ads, config, stats, log: targets.log };
}

const eds = (name: string, timeoutMs = 250) =>
  create(ClusterSchema, {
    name,
    connectTimeout: { seconds: 0n, nanos: timeoutMs },
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS },
  });
const cluster = (name: string, version: string, timeoutMs?: number) =>
  resource(name, version, ClusterSchema, eds(name, timeoutMs));
const endpoints = (name: string, version: string) =>
  resource(
    name,
    version,
    ClusterLoadAssignmentSchema,
    create(ClusterLoadAssignmentSchema, { clusterName: name, endpoints: [{}] }),
  );
const listener = (name: string, version: string, routes = '') =>
  resource(
    name,
    version,
    ListenerSchema,
    create(ListenerSchema, {
      name,
      statPrefix: routes, // the fake compile step reads its route name here
      filterChains: [
        {
          filters: [
            {
              name: 'hcm',
              configType: {
                case: 'typedConfig',
                value: anyPack(
                  HttpConnectionManagerSchema,
                  create(HttpConnectionManagerSchema, {
                    routeSpecifier: { case: 'rds', value: { configSource: ADS, routeConfigName: routes } },
                  }),
                ),
              },
            },
          ],
        },
      ],
    }),
  );
const routes = (name: string, version: string, host = 'good') =>
  resource(
    name,
    version,
    RouteConfigurationSchema,
    create(RouteConfigurationSchema, { name, virtualHosts: [{ name: host, domains: [version] }] }),
  );

/** Brings a proxy up with one cluster `a` and one listener `l` with routes `r`. */
async function bringUp(stream: ScriptedStream<unknown>): Promise<void> {
  await stream.request('CDS');
  stream.send('CDS', [cluster('a', '1')]);
  await stream.request('EDS');
  stream.send('EDS', [endpoints('a', '1')]);
  await stream.request('LDS');
  stream.send('LDS', [listener('l', '1', 'r')]);
  await stream.request('RDS');
  stream.send('RDS', [routes('r', '1')]);
}

describe('configuration over delta ADS', () => {
  it('warms clusters before listeners, and each before its use', async () => {
    const { ads, config, log, stats } = await start();
    const stream = await ads.stream();
    const first = await stream.request('CDS');
    expect(first.node?.id).toBe('sidecar~1');
    expect(stream.unread('LDS')).toBe(0);
    const nonce = stream.send('CDS', [cluster('a', '1')]);
    expect((await stream.request('EDS')).resourceNamesSubscribe).toEqual(['a']);
    expect(log).toEqual([]);
    expect(config.isReady()).toBe(false);
    expect(config.unready()).toContain('cluster a: eds:a');
    expect(stream.unread('CDS')).toBe(0); // the acknowledgement waits for the endpoints
    stream.send('EDS', [endpoints('a', '1')]);
    expect((await stream.request('CDS')).responseNonce).toBe(nonce);
    expect(log).toEqual(['cluster a', 'endpoints a 1']);

    await stream.request('LDS');
    stream.send('LDS', [listener('l', '1', 'r')]);
    expect((await stream.request('RDS')).resourceNamesSubscribe).toEqual(['r']);
    expect(log).toHaveLength(2);
    stream.send('RDS', [routes('r', '1')]);
    await config.ready;
    expect(log[2]).toBe('listener l');
    expect(config.routes.get('r')?.name).toBe('r');
    expect(stats.counter('cluster_manager.cds.update_success').value).toBe(1);
    expect(stats.gauge('control_plane.connected_state').value).toBe(1);
    expect(stats.counter('listener_manager.listener_warmings').value).toBe(1);
  });

  it('uses the good resources of an update, and refuses the bad ones by name', async () => {
    const { ads, config, log } = await start();
    const stream = await ads.stream();
    await bringUp(stream);
    await config.ready;
    await stream.request('CDS');
    stream.send('CDS', [cluster('bad', '1'), cluster('a', '2', 900)]);
    const nack = await stream.request('CDS');
    expect(nack.errorDetail?.message).toBe('bad: lb_policy: not supported');
    expect(log.slice(3)).toEqual(['cluster a', 'endpoints a 1']);

    await stream.request('RDS');
    stream.send('RDS', [routes('r', '2', 'bad')]);
    expect((await stream.request('RDS')).errorDetail?.message).toBe('r: virtual_hosts[0]: bad');
    expect(config.routes.dump()[0]).toMatchObject({ record: { version: '1' }, refused: { version: '2' } });
    expect(config.routes.get('r')).not.toBeNull();
  });

  it('tells the control plane of a port that is taken', async () => {
    const { ads, config } = await start();
    const stream = await ads.stream();
    await bringUp(stream);
    await config.ready;
    await stream.request('LDS');
    stream.send('LDS', [listener('taken', '1')]);
    expect((await stream.request('LDS')).errorDetail?.message).toBe('taken: port 80 is in use');
    expect(config.listeners.dump().find(({ name }) => name === 'taken')?.refused?.reason).toBe('port 80 is in use');
  });

  it('comes back after the control plane was away, with its versions and without warming again', async () => {
    const { ads, config, log, stats } = await start();
    await bringUp(await ads.stream());
    await config.ready;
    const done = [...log];
    const warmings = [stats.counter('cluster_manager.cluster_warmings').value];
    const { port } = ads;
    await ads.close();
    await vi.waitFor(() => expect(stats.gauge('control_plane.connected_state').value).toBe(0));
    const again = await startScriptedAds(port);
    cleanups.push(() => again.close());
    const stream = await again.stream();
    expect((await stream.request('CDS')).initialResourceVersions).toEqual({ a: '1' });
    expect((await stream.request('EDS')).initialResourceVersions).toEqual({ a: '1' });
    expect((await stream.request('LDS')).initialResourceVersions).toEqual({ l: '1' });
    const resumed = await stream.request('RDS');
    expect(resumed).toMatchObject({ resourceNamesSubscribe: ['r'], initialResourceVersions: { r: '1' } });
    // A control plane without memory sends everything again, under other versions.
    const nonce = stream.send('CDS', [cluster('a', '9')]);
    expect((await stream.request('CDS')).responseNonce).toBe(nonce);
    expect(log).toEqual(done);
    expect(config.isReady()).toBe(true);
    expect([stats.counter('cluster_manager.cluster_warmings').value]).toEqual(warmings);
    expect(config.clusters.dump().find(({ name }) => name === 'a')?.active?.version).toBe('9');
  });

  it('removes what is gone, and stops asking for what it needed', async () => {
    const { ads, config, log } = await start();
    const stream = await ads.stream();
    await bringUp(stream);
    await config.ready;
    stream.send('LDS', [], ['l']);
    stream.send('CDS', [], ['a']);
    await vi.waitFor(() => expect(log.slice(3).sort()).toEqual(['-cluster a', '-listener l']));
    for (const type of ['EDS', 'RDS'] as const) {
      let request = await stream.request(type);
      while (request.resourceNamesUnsubscribe.length === 0) request = await stream.request(type);
      expect(request.resourceNamesUnsubscribe).toEqual([type === 'EDS' ? 'a' : 'r']);
    }
  });

  it('keeps the old cluster in use while its successor waits for endpoints', async () => {
    const { ads, config, log } = await start();
    const stream = await ads.stream();
    await bringUp(stream);
    await config.ready;
    const moved = eds('a');
    if (moved.edsClusterConfig) moved.edsClusterConfig.serviceName = 'elsewhere';
    stream.send('CDS', [resource('a', '2', ClusterSchema, moved)]);
    await vi.waitFor(() => expect(config.clusters.warming()).toEqual([{ name: 'a', pending: ['eds:elsewhere'] }]));
    expect(log).toHaveLength(3);
    expect(config.isReady()).toBe(true);
    stream.send('EDS', [endpoints('elsewhere', '1')]);
    await vi.waitFor(() => expect(log.slice(3)).toEqual(['cluster a', 'endpoints elsewhere 1']));
  });
});

describe('configuration over state-of-the-world ADS', () => {
  const startSotw = (server?: ScriptedAds) => start(server, ApiConfigSource_ApiType.GRPC);

  it('warms as over delta, and acknowledges each version', async () => {
    const { ads, config, log } = await startSotw();
    const stream = await ads.sotwStream();
    expect(await stream.request('CDS')).toMatchObject({
      node: { id: 'sidecar~1' },
      resourceNames: [],
      versionInfo: '',
    });
    const nonce = stream.send('CDS', [cluster('a', '1')]);
    // Envoy repeats the node unless it is told not to.
    expect(await stream.request('EDS')).toMatchObject({ node: { id: 'sidecar~1' }, resourceNames: ['a'] });
    expect(stream.unread('CDS')).toBe(0); // the acknowledgement waits for the endpoints
    stream.send('EDS', [endpoints('a', '1')]);
    expect(await stream.request('CDS')).toMatchObject({ responseNonce: nonce, versionInfo: '1' });
    await stream.request('LDS');
    stream.send('LDS', [listener('l', '1', 'r')]);
    expect((await stream.request('RDS')).resourceNames).toEqual(['r']);
    stream.send('RDS', [routes('r', '1')]);
    await config.ready;
    expect(log).toEqual(['cluster a', 'endpoints a 1', 'listener l']);
    expect(config.clusters.dump().find(({ name }) => name === 'a')?.active?.version).toBe('1');
  });

  it('removes what a response of all clusters or listeners leaves out, and nothing else', async () => {
    const { ads, config, log } = await startSotw();
    const stream = await ads.sotwStream();
    await bringUp(stream);
    await config.ready;
    stream.send('CDS', [cluster('a', '1'), cluster('b', '1')]);
    stream.send('EDS', [endpoints('b', '1')]);
    await vi.waitFor(() => expect(log.slice(3)).toEqual(['cluster b', 'endpoints b 1']));
    stream.send('RDS', []);
    stream.send('LDS', []);
    stream.send('CDS', [cluster('b', '1')]);
    await vi.waitFor(() => expect(log.slice(5).sort()).toEqual(['-cluster a', '-listener l']));
    let request = await stream.request('EDS');
    while (request.resourceNames.includes('a')) request = await stream.request('EDS');
    expect(request.resourceNames).toEqual(['b']);
  });

  it('uses the good resources of an update, and refuses it with the version in use', async () => {
    const { ads, config, log } = await startSotw();
    const stream = await ads.sotwStream();
    await bringUp(stream);
    await config.ready;
    await stream.request('CDS');
    const nonce = stream.send('CDS', [cluster('bad', '1'), cluster('a', '2', 900)]);
    expect(await stream.request('CDS')).toMatchObject({
      responseNonce: nonce,
      versionInfo: '1',
      errorDetail: { code: 3, message: 'bad: lb_policy: not supported' },
    });
    expect(log.slice(3)).toEqual(['cluster a', 'endpoints a 1']);
  });

  it('refuses a response with a resource that cannot be read, and keeps what is in use', async () => {
    const { ads, config, log } = await startSotw();
    const stream = await ads.sotwStream();
    await bringUp(stream);
    await config.ready;
    await stream.request('CDS');
    const cut = create(AnySchema, { typeUrl: TYPE_URLS.CDS, value: Uint8Array.of(0x0a, 0x7f) });
    stream.send('CDS', [{ name: 'a', version: '2', any: cut }]);
    expect((await stream.request('CDS')).errorDetail?.message).toMatch(/cannot decode .*Cluster/);
    expect(log).toHaveLength(3);
    stream.send('CDS', [cluster('a', '1')]);
    expect((await stream.request('CDS')).errorDetail).toBeUndefined();
    expect(log).toHaveLength(3);
  });

  it('comes back with its versions, and without warming again', async () => {
    const { ads, config, log, stats } = await startSotw();
    await bringUp(await ads.sotwStream());
    await config.ready;
    const done = [...log];
    const { port } = ads;
    await ads.close();
    await vi.waitFor(() => expect(stats.gauge('control_plane.connected_state').value).toBe(0));
    const again = await startScriptedAds(port);
    cleanups.push(() => again.close());
    const stream = await again.sotwStream();
    expect(await stream.request('CDS')).toMatchObject({ versionInfo: '1', responseNonce: '' });
    expect(await stream.request('RDS')).toMatchObject({ versionInfo: '4', resourceNames: ['r'] });
    stream.send('CDS', [cluster('a', '9')]);
    await stream.request('CDS');
    expect(log).toEqual(done);
    expect(stats.counter('cluster_manager.cluster_warmings').value).toBe(1);
  });
});

describe.each([
  ['delta', ApiConfigSource_ApiType.DELTA_GRPC],
  ['state-of-the-world', ApiConfigSource_ApiType.GRPC],
] as const)('a resource with a lifetime, over %s', (_, apiType) => {
  it('goes when it is not confirmed in time, and stays while it is', async () => {
    const clock = new FakeClock();
    const { ads, config, log } = await start(undefined, apiType, clock);
    const isSotw = apiType === ApiConfigSource_ApiType.GRPC;
    const stream: ScriptedStream<unknown> = await (isSotw ? ads.sotwStream() : ads.stream());
    await bringUp(stream);
    await config.ready;
    const mortal = { ...listener('m', '1'), ttlMs: 10_000 };
    const rest = isSotw ? [listener('l', '1', 'r')] : [];
    stream.send('LDS', [...rest, mortal]);
    await vi.waitFor(() => expect(log.at(-1)).toBe('listener m'));
    await stream.request('LDS');
    await stream.request('LDS');
    clock.advance(8_000);
    // A heartbeat: the version in use, and nothing in it.
    stream.send('LDS', [...rest, { name: 'm', version: isSotw ? '5' : '1', ttlMs: 10_000 }]);
    await stream.request('LDS');
    clock.advance(8_000);
    expect(log).not.toContain('-listener m');
    clock.advance(2_000);
    await vi.waitFor(() => expect(log.at(-1)).toBe('-listener m'));
  });
});
