import { checkPlaintext } from '@flotilla/http-port';
import { serveRpc } from '@flotilla/rpc/server';
import {
  createInProcessMembership,
  createRedisBus,
  createRedisMembership,
  type Membership,
  type VersionBus,
} from '@flotilla/bus';
import { openRedis, redisSettingsOf } from '@flotilla/redis';
import type { Transport } from '@connectrpc/connect';
import {
  compileAdminPolicy,
  passes,
  controlPlaneIdentity,
  openServiceIdentity,
  type Service,
  type ServiceContext,
  type SettingsOf,
} from '@flotilla/service';
import { FlotillaError } from '@flotilla/runtime';
import { loadMeshConfig, watchMeshConfig } from '@flotilla/translate';
import { openGalleys } from './ingest/galleys.ts';
import { createWatchBus } from './ingest/watch-bus.ts';
import { startPilot } from './pipeline.ts';
import { pilotSettings } from './settings.ts';

/** Pilot as a process of its own. */
export const pilotService: Service<typeof pilotSettings> = {
  name: 'pilot',
  summary: 'turns mesh configuration into Envoy resources and pushes them to proxies',
  statusAddress: '0.0.0.0:15014',
  settings: pilotSettings,
  async start(context) {
    const { settings, logger, telemetry, readiness, stop, drainMs, clock, random } = context;
    const { trustDomain } = settings;
    const [first, ...more] = settings.galley;
    if (first === undefined) throw new FlotillaError('usage', 'no configuration: give --galley');
    if (settings.xds !== null) {
      checkPlaintext({ what: 'xDS', address: settings.xds, isAllowed: settings.allowPlaintext, logger });
    }
    const meshConfig = await loadMeshConfig(settings.meshConfig);
    const identity = await openServiceIdentity(settings, context);
    stop.push('identity', () => identity.close());
    const spiffeId = settings.galleyIdentity ?? controlPlaneIdentity(trustDomain, 'galley');
    const galley = openGalleys([first, ...more], { identity, spiffeId });
    stop.push('connection to galley', () => galley.close());
    const { bus, membership } = openCompany(context, galley);
    const configured = readiness.gate(`waiting for the configuration from ${settings.galley.join(', ')}`);
    const assertAdmin = compileAdminPolicy({ adminToken: settings.adminTokenFile, admins: settings.admins });
    const pilot = await startPilot({
      galley,
      bus,
      membership,
      xds: settings.xds,
      xdsTls: settings.xdsTls,
      identity,
      trustDomain,
      meshConfig,
      domainSuffix: settings.domainSuffix,
      debounce: { quietMs: settings.debounceQuiet, maxMs: settings.debounceMax },
      access: { read: assertAdmin },
      limits: { names: settings.maxStreamNames, identityStreams: settings.maxIdentityStreams },
      telemetry,
      logger,
      clock,
      random,
    });
    stop.push('pilot', () => pilot.close());
    if (settings.meshConfig !== null) {
      const onRead = pilot.setMeshConfig.bind(pilot);
      stop.push('mesh configuration', watchMeshConfig({ file: settings.meshConfig, onRead, clock, logger }));
    }
    void pilot.ready.then(() => configured.open());
    const server = await serveRpc({
      address: settings.listen,
      hosts: settings.httpHosts,
      tls: { identity, clientCertificates: 'optional' },
      routes: pilot.routes,
      isKnown: passes(assertAdmin),
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      logger,
      drainMs,
    });
    stop.push('server', () => server.close());
    logger.info('API and xDS', { api: server.url, xdsTls: pilot.xdsTls, xds: pilot.xds });
  },
};

/**
 * How this pilot hears of versions, and which other pilots live: by Redis; without it, by galley's stream, and then it is
 * the only pilot.
 */
function openCompany(
  { settings, logger, stop, clock, random }: ServiceContext<SettingsOf<typeof pilotSettings>>,
  galley: Transport,
): { readonly bus: VersionBus; readonly membership: Membership } {
  const redis = redisSettingsOf(settings);
  const open = <T extends { close(): Promise<void> }>(name: string, part: T): T => {
    stop.push(name, () => part.close());
    return part;
  };
  if (redis === null) {
    logger.info('without Redis this must be the only pilot: what others registered would be taken for left behind');
    return {
      bus: open('bus', createWatchBus({ galley, clock, random, logger })),
      membership: open('membership', createInProcessMembership()),
    };
  }
  const connection = open('connection to Redis', openRedis({ settings: redis, logger, clock, random }));
  return {
    bus: open('bus', createRedisBus({ connection, logger })),
    membership: open('membership', createRedisMembership({ connection, logger, clock })),
  };
}
