import { join } from 'node:path';
import { createInProcessBus } from '@flotilla/bus';
import { serveRpc } from '@flotilla/rpc/server';
import { compileAdminPolicy, controlPlaneIdentity, openServiceIdentity, type Service } from '@flotilla/service';
import { FlotillaError } from '@flotilla/runtime';
import { compileAccess } from './serve/access.ts';
import { galleySettings } from './settings.ts';
import { startGalley } from './start.ts';

/** Galley as a process of its own. */
export const galleyService: Service<typeof galleySettings> = {
  name: 'galley',
  summary: 'validates, versions and distributes configuration',
  statusAddress: '0.0.0.0:9902',
  settings: galleySettings,
  async start(context) {
    const { settings, logger, telemetry, stop, drainMs, clock } = context;
    if (settings.data === null) throw new FlotillaError('usage', 'no store: give --data');
    const identity = await openServiceIdentity(settings, context);
    stop.push('identity', () => identity.close());
    const bus = createInProcessBus();
    stop.push('bus', () => bus.close());
    const galley = await startGalley({
      store: { kind: 'sqlite', path: join(settings.data, 'galley.sqlite') },
      bus,
      directories: settings.config,
      changeLogLimit: settings.changeLogLimit,
      access: compileAccess({
        assertAdmin: compileAdminPolicy({ adminToken: settings.adminTokenFile, admins: settings.admins }),
        registrars:
          settings.registrars.length > 0 ? settings.registrars : [controlPlaneIdentity(settings.trustDomain, 'pilot')],
      }),
      logger,
      clock,
    });
    stop.push('galley', () => galley.close());
    const server = await serveRpc({
      address: settings.listen,
      tls: { identity, clientCertificates: 'optional' },
      routes: galley.routes,
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      logger,
      drainMs,
    });
    stop.push('server', () => server.close());
    logger.info('API', { url: server.url });
  },
};
