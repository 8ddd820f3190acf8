import { openLocalIdentity } from '@flotilla/identity';
import { serveRpc } from '@flotilla/rpc/server';
import { compileAdminPolicy, CONTROL_PLANE_NAMESPACE, type Service } from '@flotilla/service';
import { citadelSettings, keySourceOf } from './settings.ts';
import { startCitadel } from './start.ts';

/** Citadel as a process of its own. */
export const citadelService: Service<typeof citadelSettings> = {
  name: 'citadel',
  summary: 'certificate authority of the mesh',
  statusAddress: '0.0.0.0:8061',
  settings: citadelSettings,
  async start({ settings, logger, telemetry, stop, drainMs, clock, random }) {
    const { trustDomain, maxCertificateTtl, adminTokenFile, admins } = settings;
    const citadel = await startCitadel({
      keys: keySourceOf(settings),
      trustDomain,
      defaultTtlMs: maxCertificateTtl,
      maxTtlMs: maxCertificateTtl,
      authoriseAdmin: compileAdminPolicy({ adminToken: adminTokenFile, admins }),
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
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      logger,
      drainMs,
    });
    stop.push('server', () => server.close());
    logger.info('certificates', { url: server.url, trustDomain });
  },
};
