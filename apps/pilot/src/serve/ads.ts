import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { Server, type ServerDuplexStream, type UntypedHandleCall } from '@grpc/grpc-js';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type SocketAddress, limit } from '@flotilla/runtime';
import {
  formatSpiffeId,
  type IdentitySource,
  type SpiffeId,
  spiffeIdOfCertificate,
  tokenGrantOf,
} from '@flotilla/spiffe';
import { HEALTH_TYPE_URL, type XdsShortName } from '@flotilla/xds';
import { parseProxyNode, type ProxyNode, type ResourceCache } from '@flotilla/translate';
import type { Admission } from '../binding/admission.ts';
import type { ProvenIdentity } from '../binding/bind.ts';
import type { Isolation } from '../isolate/isolation.ts';
import type { PilotMetrics } from '../metrics.ts';
import type { TypeChannel } from './channel.ts';
import { DeltaChannel } from './delta.ts';
import { openPlaintextPort } from './port.ts';
import { type AnyRequest, ProxySession } from './session.ts';
import { DeltaResponses } from './response.ts';
import { openSender } from './sender.ts';
import type { Sessions } from './sessions.ts';
import { SotwChannel } from './sotw.ts';
import { statusOf } from './status-of-error.ts';
import { type StreamBudget, StreamBudgets } from './stream-budgets.ts';
import type { StreamLimits } from './stream-limits.ts';
import { openTlsPort } from './tls-port.ts';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
// A request lists every name and version a proxy holds: room for a large one, not for an attack. As Istio.
const MAX_REQUEST_BYTES = limit({
  name: 'pilot.request-bytes',
  what: 'one discovery request of a proxy',
  default: 4 * 1024 * 1024,
  unit: 'bytes',
  past: 'the stream ends with RESOURCE_EXHAUSTED',
});
const MAX_CALLS = limit({
  name: 'pilot.connection-streams',
  what: 'xDS streams of one connection at a time',
  default: 100,
  unit: 'count',
  past: 'the stream waits at the client until another one ends',
});
const IDLE_MS = limit({
  name: 'pilot.idle',
  what: 'time in which an xDS connection has no stream',
  default: 300_000,
  unit: 'ms',
  past: 'the connection is closed',
});
/** So many names held make a further subscription as much work as one acknowledgement more. */
const NAMES_PER_REQUEST = 500;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** Hears of proxies that proved who they are, and have listeners: nobody is sent to a port that is not open yet. */
export interface PresenceListener {
  connected(node: ProxyNode, identity: string): void;
  /** `isLeaving`: the proxy said that it goes for good; otherwise it may come back at once. */
  disconnected(node: ProxyNode, identity: string, isLeaving: boolean): void;
}

export interface AdsOptions {
  readonly plaintext: SocketAddress | null;
  readonly tls: { readonly address: SocketAddress; readonly identity: IdentitySource } | null;
  /** Decides about proxies that proved who they are. */
  readonly admission: Admission;
  readonly sessions: Sessions;
  readonly presence: PresenceListener;
  readonly cache: ResourceCache;
  readonly isolation: Isolation;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PilotMetrics;
  readonly limits: StreamLimits;
}

/** What the streams of both ports share. */
interface Served extends AdsOptions {
  readonly budgets: StreamBudgets;
  readonly responses: DeltaResponses;
}

export interface AdsServer {
  readonly plaintext: SocketAddress | null;
  readonly tls: SocketAddress | null;
  /** Looks again whether each proxy is what it was admitted as, after what the mesh says of workloads has changed. */
  readmit(): void;
  /** Ends all streams and connections at once. */
  close(): void;
}

/**
 * Serves `AggregatedDiscoveryService`, SotW and delta, on a plaintext port and an mTLS port. On the mTLS port the
 * certificate must be the workload's that the node names, and the proxy counts as present while its stream lasts.
 */
export async function serveAds(options: AdsOptions): Promise<AdsServer> {
  const serverOptions = {
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // Channel tracing costs memory per call and nobody asks for it.
    'grpc.enable_channelz': 0,
    'grpc.max_concurrent_streams': MAX_CALLS,
    'grpc.max_connection_idle_ms': IDLE_MS,
  };
  const served = {
    ...options,
    budgets: new StreamBudgets(options.limits, options.clock),
    responses: new DeltaResponses(),
  };
  const admitted = new Set<() => void>();
  const open = (isAuthenticated: boolean): Server => {
    const server = new Server(serverOptions);
    addAds(server, served, isAuthenticated ? admitted : null);
    return server;
  };
  // Two servers, so that a handler knows by its port whether the caller has proved an identity.
  const plain = options.plaintext === null ? null : open(false);
  const secure = options.tls === null ? null : open(true);
  const plaintext =
    plain === null || options.plaintext === null
      ? null
      : await openPlaintextPort(plain, options.plaintext, options.logger);
  const close = () => {
    plaintext?.close();
    plain?.forceShutdown();
    secure?.forceShutdown();
  };
  try {
    const tls =
      secure === null || options.tls === null
        ? null
        : await openTlsPort(secure, options.tls.address, options.tls.identity, options.logger);
    return {
      plaintext: plaintext?.address ?? null,
      tls: tls?.address ?? null,
      readmit() {
        for (const look of [...admitted]) look();
      },
      close() {
        tls?.close();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** `admitted`: where streams of proxies with an identity ask to be looked at again; `null` on the plaintext port. */
function addAds(server: Server, options: Served, admitted: Set<() => void> | null): void {
  const method = <Desc extends DescMessage>(path: string, request: Desc) => ({
    path: `${SERVICE}/${path}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (): Buffer => Buffer.alloc(0),
    requestDeserialize: (bytes: Buffer): MessageShape<Desc> => fromBinary(request, bytes),
    // Responses are bytes already: their resources are encoded once for all proxies.
    responseSerialize: (bytes: Buffer): Buffer => bytes,
    responseDeserialize: (bytes: Buffer): Buffer => bytes,
  });
  const handler = <Request extends AnyRequest & { readonly node?: Node | undefined }>(
    protocol: 'delta' | 'sotw',
    openChannel: (type: XdsShortName) => TypeChannel<Request>,
  ): UntypedHandleCall =>
    ((call: ServerDuplexStream<Request, Buffer>) =>
      // The method's deserializer makes exactly this type.
      handleStream(call, protocol, openChannel, options, admitted)) as UntypedHandleCall;
  server.addService(
    {
      StreamAggregatedResources: method('StreamAggregatedResources', DiscoveryRequestSchema),
      DeltaAggregatedResources: method('DeltaAggregatedResources', DeltaDiscoveryRequestSchema),
    },
    {
      StreamAggregatedResources: handler<DiscoveryRequest>('sotw', (type) => new SotwChannel(type)),
      DeltaAggregatedResources: handler<DeltaDiscoveryRequest>(
        'delta',
        (type) => new DeltaChannel(type, options.responses),
      ),
    },
  );
}

function handleStream<Request extends AnyRequest & { readonly node?: Node | undefined }>(
  call: ServerDuplexStream<Request, Buffer>,
  protocol: 'delta' | 'sotw',
  openChannel: (type: XdsShortName) => TypeChannel<Request>,
  options: Served,
  admitted: Set<() => void> | null,
): void {
  const { admission } = options;
  let readmit: (() => void) | null = null;
  /** Requests of a proxy that cannot be judged yet. */
  const held: Request[] = [];
  const { clock, limits, metrics } = options;
  let session: ProxySession<Request> | null = null;
  let budget: StreamBudget | null = null;
  let heldNames = 0;
  let isEnded = false;
  let isPresent = false;
  let isLeaving = false;

  const end = () => {
    if (isEnded) return;
    isEnded = true;
    if (readmit !== null) admitted?.delete(readmit);
    firstRequest.cancel();
    sender.close();
    budget?.close();
    if (session === null) return;
    session.close();
    options.sessions.delete(session);
    options.logger.info(`${session.node.id} disconnected`);
    if (isPresent) options.presence.disconnected(session.node, session.identity, isLeaving);
  };
  const refuse = (thrown: unknown) => {
    if (isEnded) return;
    const error = FlotillaError.from(thrown);
    if (error.code === 'exhausted') metrics.cut();
    const who = session?.node.id ?? call.getPeer();
    options.logger.warn('a stream was refused', { who, reason: error.message, code: error.code });
    end();
    call.emit('error', { code: statusOf(error), details: error.describe() });
  };
  const firstRequest = clock.after(limits.firstRequestMs, () =>
    refuse(new FlotillaError('exhausted', 'no request came within pilot.first-request')),
  );
  const sender = openSender({
    write: (bytes, onRead) => void call.write(bytes, onRead),
    onRead: () => due(),
    onStalled: refuse,
    limits,
    clock,
  });
  const due = () => {
    if (session !== null) options.sessions.due(session);
  };
  const hold = (names: number, unknownNames: number): boolean => {
    try {
      heldNames = names;
      budget?.hold(names, unknownNames);
    } catch (error) {
      refuse(error);
    }
    return !isEnded;
  };
  const open = (node: Node | undefined): ProxySession<Request> => {
    if (node === undefined) throw new FlotillaError('invalid', 'the first request of a stream must carry the node');
    const claim = parseProxyNode(node);
    const identity = admitted === null ? null : provenIdentity(call, peer, claim);
    const proxy = identity === null ? claim : admission.admit(claim, identity);
    budget?.named(proxy.id);
    firstRequest.cancel();
    const opened = new ProxySession<Request>({
      node: proxy,
      identity: identity === null ? '' : formatSpiffeId(identity.spiffeId),
      protocol,
      openChannel,
      send: sender.send,
      isBlocked: sender.isBlocked,
      hold,
      onDue: due,
      onServing() {
        if (identity === null) return;
        isPresent = true;
        options.presence.connected(proxy, formatSpiffeId(identity.spiffeId));
      },
      cache: options.cache,
      isolation: options.isolation,
      clock,
      logger: options.logger,
      metrics,
    });
    options.logger.info(`${proxy.id} connected`, { agent: proxy.agent, protocol, identity: opened.identity });
    options.sessions.add(opened);
    if (identity === null) return opened;
    readmit = () => {
      try {
        admission.readmit(claim, identity, proxy);
      } catch (error) {
        refuse(error);
      }
    };
    admitted?.add(readmit);
    return opened;
  };

  const peer = admitted === null ? null : peerOf(call);
  const receive = (request: Request) => {
    if (isEnded) return;
    try {
      budget?.spend(workOf(request, heldNames));
      checkNames(request, limits);
      session ??= open(request.node);
      if (request.typeUrl === HEALTH_TYPE_URL) isLeaving = request.errorDetail !== undefined;
      else session.receive(request);
    } catch (error) {
      refuse(error);
    }
  };

  call.on('data', (request: Request) => {
    if (admitted === null || admission.isReady()) {
      receive(request);
      return;
    }
    firstRequest.cancel();
    held.push(request);
    if (held.length > 1) return;
    call.pause();
    void admission.ready.then(() => {
      for (const each of held.splice(0)) receive(each);
      call.resume();
    });
  });
  call.on('end', () => {
    end();
    call.end();
  });
  call.on('cancelled', end);
  call.on('close', end);
  call.on('error', end);
  try {
    budget = options.budgets.open(peer === null ? addressOf(call) : formatSpiffeId(peer), refuse);
  } catch (error) {
    refuse(error);
  }
}

/** A changed subscription is answered by looking at all of it, so it counts for more the larger it is. */
function workOf({ resourceNamesSubscribe = [] }: AnyRequest, heldNames: number): number {
  return resourceNamesSubscribe.length === 0 ? 1 : 1 + heldNames / NAMES_PER_REQUEST;
}

/** Names are bounded before anything keeps them. Throws `exhausted`. */
function checkNames(request: AnyRequest, { names: most, nameBytes }: StreamLimits): void {
  const { resourceNames = [], resourceNamesSubscribe = [], initialResourceVersions = {} } = request;
  const held = Object.keys(initialResourceVersions);
  if (resourceNames.length + resourceNamesSubscribe.length > most || held.length > most) {
    throw new FlotillaError('exhausted', `the request names more than pilot.stream-names, which is ${most}`);
  }
  for (const names of [resourceNames, resourceNamesSubscribe, held]) {
    const long = names.find((name) => name.length > nameBytes);
    if (long !== undefined) {
      throw new FlotillaError('exhausted', `a name is longer than pilot.name-bytes, which is ${nameBytes}`);
    }
  }
}

/** Without an identity the address has to do. */
function addressOf(call: ServerDuplexStream<unknown, Buffer>): string {
  return call.getPeer().replace(/:\d+$/, '');
}

/** What the connection proves of its proxy. Throws `unauthenticated` without a workload identity. */
function provenIdentity(
  call: ServerDuplexStream<unknown, Buffer>,
  spiffeId: SpiffeId | null,
  { id }: ProxyNode,
): ProvenIdentity {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined || spiffeId === null) {
    throw new FlotillaError('unauthenticated', `${id} has no workload identity`, {
      hint: 'Connect with a certificate whose only URI SAN is the SPIFFE id of the workload.',
    });
  }
  return { spiffeId, workload: tokenGrantOf(certificate.raw)?.workload ?? null };
}

function peerOf(call: ServerDuplexStream<unknown, Buffer>): SpiffeId | null {
  const certificate = call.getAuthContext().sslPeerCertificate;
  return certificate === undefined ? null : spiffeIdOfCertificate(certificate.raw);
}
