import { setTimeout as delay } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { withPeer } from '@flotilla/testing';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { describe, expect, it } from 'vitest';
import { resource, type ScriptedAds, type ScriptedStream } from '../scripted-ads.ts';
import { feedBoth, listenerWith, type Variant } from './fed-by-ads.ts';
import { fetchText, type Subject } from './subjects.ts';

/** Not among them: `update_attempt` of routes, where Envoy counts a refused table twice. */
const STATISTICS: readonly string[] = [
  ...['cluster_manager.cds', 'listener_manager.lds', 'http.web.rds.table'].flatMap((prefix) => [
    `${prefix}.update_success`,
    `${prefix}.update_rejected`,
  ]),
  'cluster_manager.cds.update_attempt',
  'listener_manager.lds.update_attempt',
  'http.web.rds.table.config_reload',
];

withPeer('envoy', (program) => {
  describe('our proxy and Envoy, fed by the same control plane', () => {
    it.each(['DELTA_GRPC', 'GRPC'] as const)('count updates the same: %s', async (variant) => {
      const { envoys, ours } = await feedBoth(program, variant, (ads, starting) =>
        updateRoutes(ads, starting, variant),
      );
      expect(ours).toEqual(envoys);
      expect(ours['http.web.rds.table.update_success']).toBe(3);
      expect(ours['http.web.rds.table.update_rejected']).toBe(1);
      expect(ours['http.web.rds.table.config_reload']).toBe(2);
    });
  });
});

/** Sends a proxy a table, the same again, one that it must refuse, and another. */
async function updateRoutes(
  ads: ScriptedAds,
  starting: Promise<Subject>,
  variant: Variant,
): Promise<Readonly<Record<string, number>>> {
  const stream: ScriptedStream<unknown> = await (variant === 'GRPC' ? ads.sotwStream() : ads.stream());
  await stream.request('CDS');
  stream.send('CDS', [
    resource('web', '1', ClusterSchema, create(ClusterSchema, { name: 'web', connectTimeout: { seconds: 1n } })),
  ]);
  await stream.request('CDS');
  await stream.request('LDS');
  stream.send('LDS', [resource('web', '1', ListenerSchema, listener())]);
  await stream.request('RDS');
  for (const [version, table] of [routes('web'), routes('web'), unusable(), routes('api')].entries()) {
    stream.send('RDS', [resource('table', String(version), RouteConfigurationSchema, table)]);
    await stream.request('RDS');
  }
  return statisticsOf((await starting).admin);
}

async function statisticsOf(admin: number): Promise<Readonly<Record<string, number>>> {
  // The last answer is counted a moment after it was given.
  for (let tries = 0; ; tries++) {
    const lines = (await fetchText(admin, '/stats')).split('\n').map((line) => line.split(': '));
    const values = new Map(lines.map(([name = '', value = '']) => [name, Number(value)]));
    const found = Object.fromEntries(STATISTICS.map((name) => [name, values.get(name) ?? 0]));
    if (found['listener_manager.lds.update_success'] === 1 || tries > 100) return found;
    await delay(20);
  }
}

function routes(domain: string): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name: 'table',
    virtualHosts: [
      {
        name: 'all',
        domains: [domain],
        routes: [
          {
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: { case: 'directResponse', value: { status: 200 } },
          },
        ],
      },
    ],
  });
}

/** Two virtual hosts of one domain. */
function unusable(): RouteConfiguration {
  const table = routes('web');
  return create(RouteConfigurationSchema, {
    name: 'table',
    virtualHosts: [...table.virtualHosts, { name: 'again', domains: ['web'] }],
  });
}

function listener() {
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix: 'web',
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) },
      },
    ],
    routeSpecifier: {
      case: 'rds',
      value: {
        routeConfigName: 'table',
        configSource: { resourceApiVersion: 2, configSourceSpecifier: { case: 'ads', value: {} } },
      },
    },
  });
  return listenerWith('web', manager);
}
