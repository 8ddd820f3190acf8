import { createClient } from '@connectrpc/connect';
import { openCitadelIdentity, openLocalIdentity, type IdentitySource } from '@flotilla/identity';
import { silentLogger } from '@flotilla/observe';
import { createRpcTransport, serveRpc } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { formatSpiffeId } from '@flotilla/spiffe';
import { Health } from '@flotilla/wire/grpc/health/v1/health_pb.js';
import { describe, expect, it } from 'vitest';
import { istiod, ratings, reviews, startTestCitadel } from './citadel.ts';

/** Resolves when the identity has changed as often. */
function changes(identity: IdentitySource, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const stop = identity.subscribe(() => {
      left -= 1;
      if (left > 0) return;
      stop();
      resolve();
    });
  });
}

describe('renewal over real sockets', () => {
  it('of citadel, a server and a client, every second, loses no call and outlives a restart of citadel', async () => {
    const clock = systemClock;
    const random = Math.random;
    const logger = silentLogger;
    const limits = { defaultTtlMs: 2_000, maxTtlMs: 2_000, minTtlMs: 1_000 };
    const citadel = await startTestCitadel(limits);
    const own = await openLocalIdentity((ttlMs) => citadel.issueFor(istiod, ttlMs));
    const serveCitadel = (port: number) =>
      serveRpc({
        address: { host: '127.0.0.1', port },
        routes: citadel.routes,
        tls: { identity: own, clientCertificates: 'optional' },
        logger,
      });
    let ca = await serveCitadel(0);
    const open = async (id: typeof reviews) => {
      const { token } = await citadel.createToken({ ...id, ttlMs: 60_000 });
      const common = { ttlMs: 2_000, clock, random, logger };
      return openCitadelIdentity({ ca: { url: ca.url, rootPem: citadel.rootsPem }, token, id, ...common });
    };
    const [server, client] = await Promise.all([open(ratings), open(reviews)]);
    const rpc = await serveRpc({
      address: { host: '127.0.0.1', port: 0 },
      routes: () => undefined,
      tls: { identity: server, clientCertificates: 'require' },
      logger,
    });
    const transport = createRpcTransport({
      url: rpc.url,
      tls: { identity: client, serverSpiffeId: formatSpiffeId(ratings) },
    });
    const health = createClient(Health, transport);
    let isDone = false;
    let calls = 0;
    const load = (async () => {
      while (!isDone) {
        await health.check({});
        calls += 1;
      }
    })();
    await Promise.all([changes(client, 1), changes(server, 1), changes(own, 1)]);
    await ca.close();
    const restarted = Promise.all([changes(client, 1), changes(server, 1)]);
    ca = await serveCitadel(ca.address.port);
    await restarted;
    isDone = true;
    await load;
    // One at a time: how many depends on the machine.
    expect(calls).toBeGreaterThan(10);
    transport.close();
    for (const identity of [client, server, own]) identity.close();
    await Promise.all([rpc.close(), ca.close()]);
    citadel.remove();
  });
});
