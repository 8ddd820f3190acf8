import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectRouter } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { callerOf, serveRpc, type RpcServer, type ServerTls } from '@flotilla/rpc/server';
import { FlotillaError } from '@flotilla/runtime';
import { createTestAuthority, createTestIdentity, type TestAuthority } from '@flotilla/spiffe/testing';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { type ListProxiesResponseSchema, PilotService, SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';

/** What a pilot of the tests answers, read for each call. */
export type PilotAnswer = () => MessageInitShape<typeof ListProxiesResponseSchema>;

export const ADMIN_TOKEN = 'secret';

/** Services behind the real servers of libs/rpc, with answers as the tests want them, and certificates of one authority. */
export class TestControlPlane {
  readonly authority: TestAuthority;
  readonly #opened: RpcServer[] = [];

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  static async create(): Promise<TestControlPlane> {
    return new TestControlPlane(await createTestAuthority());
  }

  async serve(
    routes: (router: ConnectRouter) => unknown,
    serviceAccount: string | null,
    clientCertificates: ServerTls['clientCertificates'] = 'optional',
  ): Promise<RpcServer> {
    const id = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: serviceAccount ?? '' };
    const server = await serveRpc({
      address: { host: '127.0.0.1', port: 0 },
      routes,
      logger: silentLogger,
      ...(serviceAccount === null
        ? {}
        : { tls: { identity: createTestIdentity(await this.authority.issue(id)), clientCertificates } }),
    });
    this.#opened.push(server);
    return server;
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((server) => server.close()));
  }
}

/** A galley that takes everything at version 7 from whoever has the token. */
export function galleyRoutes(router: ConnectRouter): void {
  router.service(GalleyService, {
    apply(_request, context) {
      if (callerOf(context).bearerToken !== ADMIN_TOKEN) throw new FlotillaError('unauthenticated', 'no admin token');
      return { version: 7n };
    },
    list: () => ({ version: 7n }),
  });
}

export function citadelRoutes(router: ConnectRouter): void {
  router.service(CitadelService, { createToken: ({ serviceAccount }) => ({ token: `for ${serviceAccount}` }) });
}

export function pilotRoutes(answer: PilotAnswer): (router: ConnectRouter) => void {
  return (router) => router.service(PilotService, { listProxies: answer });
}

/** A proxy with one type in this state. */
export function proxyIn(workload: string, state: SyncState, versionSent: bigint, errorDetail = '') {
  const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
  const versionAcked = state === SyncState.SYNCED ? versionSent : 0n;
  return {
    nodeId: `sidecar~127.0.0.1~${workload}.default~default.svc.cluster.local`,
    agent: 'flotilla/0.1.0',
    protocol: 'delta',
    types: [{ typeUrl, state, versionSent, versionAcked, errorDetail }],
  };
}
