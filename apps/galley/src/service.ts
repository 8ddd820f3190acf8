import { join } from 'node:path';
import { createInProcessBus, createRedisBus } from '@flotilla/bus';
import { openRedis, redisSettingsOf } from '@flotilla/redis';
import { serveRpc } from '@flotilla/rpc/server';
import { FlotillaError } from '@flotilla/runtime';
import { openInventory } from '@flotilla/runtime/disk';
import {
  compileAdminPolicy,
  passes,
  controlPlaneIdentity,
  openServiceIdentity,
  type Service,
  type ServiceContext,
  type SettingsOf,
} from '@flotilla/service';
import { compileAccess } from './serve/access.ts';
import { galleySettings } from './settings.ts';
import { startGalley } from './start.ts';

type Context = ServiceContext<SettingsOf<typeof galleySettings>>;

/** Galley as a process of its own. */
export const galleyService: Service<typeof galleySettings> = {
  name: 'galley',
  summary: 'validates, versions and distributes configuration',
  statusAddress: '0.0.0.0:9902',
  settings: galleySettings,
  async start(context) {
    const { settings, logger, telemetry, stop, drainMs, clock, signal } = context;
    const storage = openStorage(context);
    const identity = await openServiceIdentity(settings, context);
    stop.push('identity', () => identity.close());
    const assertAdmin = compileAdminPolicy({ adminToken: settings.adminTokenFile, admins: settings.admins });
    const galley = await startGalley({
      ...storage,
      directories: settings.config,
      changeLogLimit: settings.changeLogLimit,
      access: compileAccess({
        assertAdmin,
        registrars:
          settings.registrars.length > 0 ? settings.registrars : [controlPlaneIdentity(settings.trustDomain, 'pilot')],
      }),
      telemetry,
      signal,
      logger,
      clock,
    });
    stop.push('galley', () => galley.close());
    const server = await serveRpc({
      address: settings.listen,
      hosts: settings.httpHosts,
      tls: { identity, clientCertificates: 'optional' },
      routes: galley.routes,
      isKnown: passes(assertAdmin),
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      logger,
      drainMs,
    });
    stop.push('server', () => server.close());
    logger.info('API', { url: server.url });
  },
};

/** Where resources are kept and versions announced: Redis, or a file for a galley that is alone. */
function openStorage({ settings, logger, readiness, stop, clock, random }: Context) {
  const redis = redisSettingsOf(settings);
  const places = [...new Set([settings.data, settings.inventory].filter((directory) => directory !== null))];
  const inventory = openInventory({ places, beginAnew: settings.beginAnew });
  if (redis === null) {
    if (settings.data === null) throw new FlotillaError('usage', 'no store: give --redis-url, or --data');
    const bus = createInProcessBus();
    stop.push('bus', () => bus.close());
    return { store: { kind: 'sqlite', path: join(settings.data, 'galley.sqlite'), inventory } as const, bus };
  }
  if (settings.data !== null)
    throw new FlotillaError('usage', '--redis-url and --data are two stores: give one of them');
  const connection = openRedis({ settings: redis, logger, clock, random });
  stop.push('connection to Redis', () => connection.close());
  // Once it was there, reading goes on without it.
  const gate = readiness.gate('waiting for Redis');
  const end = connection.subscribe((isConnected) => {
    if (isConnected) gate.open();
  });
  stop.push('readiness', end);
  const bus = createRedisBus({ connection, logger });
  stop.push('bus', () => bus.close());
  return { store: { kind: 'redis', connection, inventory } as const, bus };
}
