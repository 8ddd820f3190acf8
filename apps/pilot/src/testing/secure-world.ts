import { credentials } from '@grpc/grpc-js';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { createTestIdentity, type TestAuthority } from '@flotilla/spiffe/testing';
import type { SpiffeId, WorkloadCertificate } from '@flotilla/spiffe';
import { meshConfig, sidecarNode, type SidecarOptions } from '@flotilla/translate/testing';
import { type Pilot, type PilotOptions, startPilot } from '../pipeline.ts';
import { DeltaTestClient } from './delta-client.ts';
import { FakeGalley } from './fake-galley.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** Who pilot is in these worlds. */
export const PILOT: SpiffeId = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'istiod' };

export interface SecureWorld {
  readonly galley: FakeGalley;
  readonly pilot: Pilot<null, typeof LOOPBACK>;
  readonly identity: ReturnType<typeof createTestIdentity>;
}

/** A pilot with an mTLS port alone, whose proxies are registered. The caller closes it. */
export async function startSecureWorld(
  authority: TestAuthority,
  galley = new FakeGalley(),
  options: Partial<PilotOptions<null, typeof LOOPBACK>> = {},
): Promise<SecureWorld> {
  const identity = createTestIdentity(await authority.issue(PILOT, { dnsNames: ['localhost'] }));
  const pilot = await startPilot({
    galley: galley.transport,
    bus: galley.bus,
    xds: null,
    xdsTls: LOOPBACK,
    identity,
    trustDomain: 'cluster.local',
    meshConfig: meshConfig({}),
    debounce: { quietMs: 1, maxMs: 20 },
    registration: { graceMs: 20, orphanGraceMs: 60_000 },
    logger: silentLogger,
    clock: systemClock,
    ...options,
  });
  await pilot.ready;
  return { galley, pilot, identity };
}

/** The channel of a proxy with this certificate. */
export function channelOf(certificate: WorkloadCertificate, rootPem = certificate.rootsPem) {
  return credentials.createSsl(
    Buffer.from(rootPem),
    Buffer.from(certificate.privateKeyPem),
    Buffer.from(certificate.chainPem),
    // The server is known by its SPIFFE id; the chain is verified all the same.
    { checkServerIdentity: () => undefined },
  );
}

/** A proxy that opens its stream and asks for clusters and listeners. The caller closes it. */
export function connectProxy(
  { pilot }: Pick<SecureWorld, 'pilot'>,
  certificate: WorkloadCertificate,
  sidecar: SidecarOptions,
  rootPem = certificate.rootsPem,
): DeltaTestClient {
  const client = new DeltaTestClient({
    address: pilot.xdsTls,
    node: sidecarNode(sidecar),
    channel: channelOf(certificate, rootPem),
  });
  client.subscribe('CDS');
  client.subscribe('LDS');
  return client;
}
