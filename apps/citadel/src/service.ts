import { openLocalIdentity } from '@flotilla/identity';
import { openRedis, redisSettingsOf } from '@flotilla/redis';
import { serveRpc } from '@flotilla/rpc/server';
import { FlotillaError } from '@flotilla/runtime';
import {
  compileAdminPolicy,
  passes,
  CONTROL_PLANE_NAMESPACE,
  type Service,
  type ServiceContext,
  type SettingsOf,
} from '@flotilla/service';
import { citadelSettings, keySourceOf } from './settings.ts';
import { startCitadel } from './start.ts';
import { openTokenState } from './tokens/file-store.ts';
import { createRedisTokenStore } from './tokens/redis-store.ts';
import type { TokenStore } from './tokens/token-store.ts';

/** Citadel as a process of its own. */
export const citadelService: Service<typeof citadelSettings> = {
  name: 'citadel',
  summary: 'certificate authority of the mesh',
  statusAddress: '0.0.0.0:8061',
  settings: citadelSettings,
  async start(context) {
    const { settings, logger, telemetry, stop, drainMs, clock, random } = context;
    const { trustDomain, maxCertificateTtl, adminTokenFile, admins } = settings;
    const authoriseAdmin = compileAdminPolicy({ adminToken: adminTokenFile, admins });
    const citadel = await startCitadel({
      keys: keySourceOf(settings, tokenStoreOf(context)),
      trustDomain,
      defaultTtlMs: maxCertificateTtl,
      maxTtlMs: maxCertificateTtl,
      authoriseAdmin,
      telemetry,
      logger,
      clock,
    });
    stop.push('citadel', () => citadel.close());
    const id = { trustDomain, namespace: CONTROL_PLANE_NAMESPACE, serviceAccount: 'citadel' };
    const identity = await openLocalIdentity((ttlMs) => citadel.issueFor(id, ttlMs), { clock, random, logger });
    stop.push('identity', () => identity.close());
    const server = await serveRpc({
      address: settings.listen,
      hosts: settings.httpHosts,
      tls: { identity, clientCertificates: 'optional' },
      routes: citadel.routes,
      isKnown: passes(authoriseAdmin),
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      logger,
      drainMs,
    });
    stop.push('server', () => server.close());
    logger.info('certificates', { url: server.url, trustDomain });
  },
};

/** Where it is kept what became of tokens, unless citadel keeps its keys itself; `null`: nowhere. Throws `usage`. */
function tokenStoreOf({
  settings,
  logger,
  stop,
  clock,
  random,
}: ServiceContext<SettingsOf<typeof citadelSettings>>): (() => TokenStore) | null {
  const { tokenState } = settings;
  const redis = redisSettingsOf(settings);
  if (redis === null) return tokenState === null ? null : () => openTokenState(tokenState, logger);
  if (tokenState !== null) {
    throw new FlotillaError('usage', '--redis-url and --token-state are two places for one thing: give one of them');
  }
  return () => {
    const connection = openRedis({ settings: redis, logger, clock, random });
    stop.push('connection to Redis', () => connection.close());
    return createRedisTokenStore(connection);
  };
}
