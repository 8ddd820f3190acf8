import { connect } from 'node:http2';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { createTestAuthority, createTestIdentity } from '@flotilla/spiffe/testing';
import { meshConfig } from '@flotilla/translate/testing';
import { startPilot } from '../pipeline.ts';
import { FakeGalley } from '../testing/fake-galley.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const PILOT = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'istiod' };

test('closing ends the connections of clients that do not let go', async () => {
  const authority = await createTestAuthority();
  const certificate = await authority.issue(PILOT, { dnsNames: ['localhost'] });
  const galley = new FakeGalley();
  const pilot = await startPilot({
    galley: galley.transport,
    bus: galley.bus,
    xds: LOOPBACK,
    xdsTls: LOOPBACK,
    identity: createTestIdentity(certificate),
    trustDomain: 'cluster.local',
    meshConfig: meshConfig({}),
    logger: silentLogger,
    clock: systemClock,
  });
  const headers = {
    ':method': 'POST',
    ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  const sessions = [
    connect(`http://127.0.0.1:${pilot.xds.port}`),
    connect(`https://localhost:${pilot.xdsTls.port}`, {
      host: '127.0.0.1',
      ca: authority.rootPem,
      cert: certificate.chainPem,
      key: certificate.privateKeyPem,
    }),
  ];
  for (const session of sessions) {
    session.on('error', () => undefined);
    await once(session, 'connect');
    const stream = session.request(headers);
    stream.on('error', () => undefined);
    // The server has the stream once it acknowledges what came after it.
    await new Promise((resolve) => session.ping(resolve));
  }
  const closed = Promise.all(sessions.map((session) => once(session, 'close')));
  await pilot.close();
  // They hold on to their streams: what ends them is that their connections are gone.
  await closed;
  expect(sessions.map((session) => session.destroyed)).toEqual([true, true]);
});
