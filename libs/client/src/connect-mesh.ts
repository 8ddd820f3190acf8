import { type CallOptions, type Client, createClient } from '@connectrpc/connect';
import { type Clock, systemClock } from '@flotilla/runtime';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { PilotService } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { type PilotClient, type PilotReport, reportProxies } from './proxies.ts';
import { type MeshOptions, type Server, serversOf } from './servers.ts';
import { waitForSync, type WaitForSyncOptions } from './sync.ts';
import { openTransport } from './transport.ts';

/** A mesh as a tool sees it. Every call fails with a `FlotillaError` that says what to do. */
export interface MeshClient {
  /** Configuration: `apply`, `delete`, `get`, `list`, `validate`, `watch`, `listChanges`. */
  readonly galley: Client<typeof GalleyService>;
  /** Identities: `createToken`, `issueCertificate`, `getTrustBundle`. */
  readonly citadel: Client<typeof CitadelService>;
  /** Every pilot, each with its own proxies. */
  readonly pilots: readonly PilotClient[];
  /** The proxies of every pilot. A pilot that is away is in the list with its error. */
  listProxies(options?: CallOptions): Promise<PilotReport[]>;
  /**
   * Waits until every connected proxy of every pilot has acknowledged this version, and returns how many there are.
   * Throws `RefusedByProxiesError`, or `unavailable` with who is late.
   */
  waitForSync(version: bigint, options?: WaitForSyncOptions): Promise<number>;
  /** Closes the connections. */
  close(): void;
}

/**
 * Connects to the control plane of a mesh, one connection a server, opened by the first call. Throws `invalid` for
 * options that cannot be.
 */
export function connectMesh(options: MeshOptions, clock: Clock = systemClock): MeshClient {
  const servers = serversOf(options);
  const transports = new Map<Server, ReturnType<typeof openTransport>>();
  const to = (server: Server) => {
    const transport = transports.get(server) ?? openTransport(server);
    transports.set(server, transport);
    return transport;
  };
  const pilots = servers.pilots.map((server) => ({ url: server.url, client: createClient(PilotService, to(server)) }));
  return {
    galley: createClient(GalleyService, to(servers.galley)),
    citadel: createClient(CitadelService, to(servers.citadel)),
    pilots,
    listProxies: (call) => reportProxies(pilots, call),
    waitForSync: (version, wait) => waitForSync(pilots, version, clock, wait),
    close() {
      for (const transport of transports.values()) transport.close();
    },
  };
}
