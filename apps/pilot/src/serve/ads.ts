import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { Server, type ServerDuplexStream, status, type UntypedHandleCall } from '@grpc/grpc-js';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type SocketAddress } from '@flotilla/runtime';
import { formatSpiffeId, type IdentitySource, type SpiffeId, spiffeIdOfCertificate } from '@flotilla/spiffe';
import type { XdsShortName } from '@flotilla/xds';
import { parseProxyNode, type ProxyNode } from '../mesh/proxy-node.ts';
import type { PilotMetrics } from '../metrics.ts';
import type { ResourceCache } from '../translate/cache.ts';
import { authoriseNode } from './auth.ts';
import type { TypeChannel } from './channel.ts';
import { DeltaChannel } from './delta.ts';
import { openPlaintextPort } from './port.ts';
import { type AnyRequest, ProxySession } from './session.ts';
import type { Sessions } from './sessions.ts';
import { SotwChannel } from './sotw.ts';
import { openTlsPort } from './tls-port.ts';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
// A request lists every name and version a proxy holds: room for a large one, not for an attack.
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** Hears of proxies that proved who they are. */
export interface PresenceListener {
  connected(node: ProxyNode): void;
  disconnected(node: ProxyNode): void;
}

export interface AdsOptions {
  readonly plaintext: SocketAddress | null;
  readonly tls: { readonly address: SocketAddress; readonly identity: IdentitySource } | null;
  readonly trustDomains: readonly string[];
  readonly sessions: Sessions;
  readonly presence: PresenceListener;
  readonly cache: ResourceCache;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PilotMetrics;
}

export interface AdsServer {
  readonly plaintext: SocketAddress | null;
  readonly tls: SocketAddress | null;
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
  };
  const open = (isAuthenticated: boolean): Server => {
    const server = new Server(serverOptions);
    addAds(server, options, isAuthenticated);
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

function addAds(server: Server, options: AdsOptions, isAuthenticated: boolean): void {
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
      handleStream(call, protocol, openChannel, options, isAuthenticated)) as UntypedHandleCall;
  server.addService(
    {
      StreamAggregatedResources: method('StreamAggregatedResources', DiscoveryRequestSchema),
      DeltaAggregatedResources: method('DeltaAggregatedResources', DeltaDiscoveryRequestSchema),
    },
    {
      StreamAggregatedResources: handler<DiscoveryRequest>('sotw', (type) => new SotwChannel(type)),
      DeltaAggregatedResources: handler<DeltaDiscoveryRequest>('delta', (type) => new DeltaChannel(type)),
    },
  );
}

function handleStream<Request extends AnyRequest & { readonly node?: Node | undefined }>(
  call: ServerDuplexStream<Request, Buffer>,
  protocol: 'delta' | 'sotw',
  openChannel: (type: XdsShortName) => TypeChannel<Request>,
  options: AdsOptions,
  isAuthenticated: boolean,
): void {
  let session: ProxySession<Request> | null = null;
  let isEnded = false;

  const end = () => {
    if (isEnded) return;
    isEnded = true;
    if (session === null) return;
    session.close();
    options.sessions.delete(session);
    options.logger.info(`${session.node.id} disconnected`);
    if (isAuthenticated) options.presence.disconnected(session.node);
  };
  const refuse = (thrown: unknown) => {
    const error = FlotillaError.from(thrown);
    options.logger.warn('a stream was refused', { reason: error.message, code: error.code });
    end();
    call.emit('error', { code: statusOf(error), details: error.describe() });
  };
  const open = (node: Node | undefined): ProxySession<Request> => {
    if (node === undefined) throw new FlotillaError('invalid', 'the first request of a stream must carry the node');
    const proxy = parseProxyNode(node);
    const peer = isAuthenticated ? peerOf(call) : null;
    if (isAuthenticated) authoriseNode(proxy, peer, options.trustDomains);
    const opened = new ProxySession<Request>({
      node: proxy,
      identity: peer === null ? '' : formatSpiffeId(peer),
      protocol,
      openChannel,
      send: (bytes) => void call.write(bytes),
      cache: options.cache,
      clock: options.clock,
      logger: options.logger,
      metrics: options.metrics,
    });
    options.logger.info(`${proxy.id} connected`, { agent: proxy.agent, protocol, identity: opened.identity });
    options.sessions.add(opened);
    if (isAuthenticated) options.presence.connected(proxy);
    return opened;
  };

  call.on('data', (request: Request) => {
    if (isEnded) return;
    try {
      session ??= open(request.node);
      session.receive(request);
    } catch (error) {
      refuse(error);
    }
  });
  call.on('end', () => {
    end();
    call.end();
  });
  call.on('cancelled', end);
  call.on('close', end);
  call.on('error', end);
}

function peerOf(call: ServerDuplexStream<unknown, Buffer>): SpiffeId | null {
  const certificate = call.getAuthContext().sslPeerCertificate;
  return certificate === undefined ? null : spiffeIdOfCertificate(certificate.raw);
}

function statusOf(error: FlotillaError): status {
  switch (error.code) {
    case 'invalid':
      return status.INVALID_ARGUMENT;
    case 'unauthenticated':
      return status.UNAUTHENTICATED;
    case 'forbidden':
      return status.PERMISSION_DENIED;
    case 'unavailable':
      return status.UNAVAILABLE;
    default:
      return status.INTERNAL;
  }
}
