import type { IstioMetrics, Reporter } from '../ports/istio-metrics.ts';
import type { LocalNode } from '../base/local-node.ts';
import { formatResponseFlags, grpcStatusOf, type PeerMetadata, type StreamInfo } from '@flotilla/stream';
import type { Counter, Histogram, Labels, StatsRegistry } from '../base/stats.ts';

const UNKNOWN = 'unknown';
const UNKNOWN_PEER: PeerMetadata = {
  workload: UNKNOWN,
  namespace: UNKNOWN,
  canonicalService: UNKNOWN,
  canonicalRevision: 'latest',
  app: UNKNOWN,
  version: UNKNOWN,
  cluster: UNKNOWN,
};
/** Clusters that stand for no service carry their own name as the service's. */
const NAMELESS_CLUSTERS = new Set(['BlackHoleCluster', 'PassthroughCluster', 'InboundPassthroughCluster']);

interface HttpSeries {
  readonly kind: 'http';
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

interface TcpSeries {
  readonly kind: 'tcp';
  readonly closed: Counter;
  readonly sent: Counter;
  readonly received: Counter;
}

/** This proxy's own end of every hop. */
interface Self {
  readonly peer: PeerMetadata;
  readonly principal: string;
}

/** Series of one peer by principal, cluster and outcome. */
type SeriesOfPeer<S> = Map<string, Map<string, Map<string, S>>>;

export function openIstioMetrics(stats: StatsRegistry, node: LocalNode): IstioMetrics {
  const self: Self = {
    peer: localPeer(node),
    principal: `spiffe://${node.trustDomain}/ns/${node.namespace}/sa/${node.serviceAccount}`,
  };
  return {
    recorder(reporter) {
      // Weak: a peer's series are found by the object that endpoints share, and go when the endpoint goes.
      const byPeer = new WeakMap<PeerMetadata, SeriesOfPeer<HttpSeries | TcpSeries>>();
      return (info) => {
        const series = seriesOf(info, reporter, byPeer, (labels) => createSeries(stats, info, labels), self);
        if (series.kind === 'http') recordHttp(series, info);
        else recordTcp(series, info);
      };
    },
    openRecorder(reporter) {
      const byPeer = new WeakMap<PeerMetadata, SeriesOfPeer<Counter>>();
      const create = (labels: Labels) => stats.counter('istio_tcp_connections_opened_total', labels);
      return (info) => {
        seriesOf(info, reporter, byPeer, create, self).value += 1;
      };
    },
  };
}

function recordHttp(series: HttpSeries, info: StreamInfo): void {
  series.requests.value += 1;
  if (info.endMs >= 0) series.duration.record(info.endMs - info.startMs);
  series.requestBytes.record(info.bytesReceived);
  series.responseBytes.record(info.bytesSent);
}

function recordTcp(series: TcpSeries, info: StreamInfo): void {
  series.closed.value += 1;
  series.sent.value += info.bytesSent;
  series.received.value += info.bytesReceived;
}

function seriesOf<S>(
  info: StreamInfo,
  reporter: Reporter,
  byPeer: WeakMap<PeerMetadata, SeriesOfPeer<S>>,
  create: (labels: Labels) => S,
  self: Self,
): S {
  const peer = (reporter === 'source' ? info.upstreamPeer : info.downstreamPeer) ?? UNKNOWN_PEER;
  const principal = (reporter === 'source' ? info.upstreamPeerUriSan : info.connection.peerUriSan) ?? '';
  const byPrincipal = obtain(byPeer, peer, () => new Map<string, Map<string, Map<string, S>>>());
  const byCluster = obtain(byPrincipal, principal, () => new Map<string, Map<string, S>>());
  const byOutcome = obtain(byCluster, info.upstreamCluster ?? '', () => new Map<string, S>());
  const grpcStatus = info.protocol === null ? '' : (grpcStatusLabel(info) ?? '');
  const outcome = `${info.protocol === null ? 'tcp' : info.responseCode}/${info.responseFlags}/${grpcStatus}`;
  return obtain(byOutcome, outcome, () => create(labelsOf(info, reporter, self, peer)));
}

function obtain<K, V>(map: { get(key: K): V | undefined; set(key: K, value: V): unknown }, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}

function createSeries(stats: StatsRegistry, info: StreamInfo, labels: Labels): HttpSeries | TcpSeries {
  if (info.protocol === null) {
    return {
      kind: 'tcp',
      closed: stats.counter('istio_tcp_connections_closed_total', labels),
      sent: stats.counter('istio_tcp_sent_bytes_total', labels),
      received: stats.counter('istio_tcp_received_bytes_total', labels),
    };
  }
  return {
    kind: 'http',
    requests: stats.counter('istio_requests_total', labels),
    duration: stats.histogram('istio_request_duration_milliseconds', labels),
    requestBytes: stats.histogram('istio_request_bytes', labels),
    responseBytes: stats.histogram('istio_response_bytes', labels),
  };
}

function labelsOf(info: StreamInfo, reporter: Reporter, self: Self, peer: PeerMetadata): Labels {
  const { peer: local, principal: localPrincipal } = self;
  const isSource = reporter === 'source';
  const source = isSource ? local : peer;
  const destination = isSource ? peer : local;
  const { connection } = info;
  const grpcStatus = grpcStatusLabel(info);
  // A verified peer with an identity means that ours was shown too: the mesh has no one-sided TLS.
  const isMutual = (isSource ? info.upstreamPeerUriSan : connection.peerUriSan) !== null;
  const ownPrincipal = isMutual ? localPrincipal : UNKNOWN;
  const service = info.destinationService;
  const cluster = info.upstreamCluster ?? '';
  const common: Record<string, string> = {
    reporter,
    source_workload: source.workload,
    source_canonical_service: source.canonicalService,
    source_canonical_revision: source.canonicalRevision,
    source_workload_namespace: source.namespace,
    source_principal: isSource ? ownPrincipal : (connection.peerUriSan ?? UNKNOWN),
    source_app: source.app,
    source_version: source.version,
    source_cluster: source.cluster,
    destination_workload: destination.workload,
    destination_workload_namespace: destination.namespace,
    destination_principal: isSource ? (info.upstreamPeerUriSan ?? UNKNOWN) : ownPrincipal,
    destination_app: destination.app,
    destination_version: destination.version,
    destination_service: service?.host ?? UNKNOWN,
    destination_canonical_service: destination.canonicalService,
    destination_canonical_revision: destination.canonicalRevision,
    destination_service_name: service?.name ?? (NAMELESS_CLUSTERS.has(cluster) ? cluster : UNKNOWN),
    destination_service_namespace: service?.namespace ?? destination.namespace,
    destination_cluster: destination.cluster,
    request_protocol: info.protocol === null ? 'tcp' : grpcStatus === null ? 'http' : 'grpc',
    response_flags: formatResponseFlags(info.responseFlags, info.protocol === null),
    connection_security_policy: isSource ? UNKNOWN : isMutual ? 'mutual_tls' : 'none',
  };
  if (info.protocol !== null) {
    common['response_code'] = String(info.responseCode);
    common['grpc_response_status'] = grpcStatus ?? '';
  }
  return common;
}

/** The gRPC status of a gRPC call; null for other requests. Only the standard's 17 codes become label values. */
function grpcStatusLabel(info: StreamInfo): string | null {
  const type = info.requestHeaders?.get('content-type');
  if (type === undefined || !type.startsWith('application/grpc')) return null;
  const status = grpcStatusOf(info);
  return status !== null && status >= 0 && status <= 16 ? String(status) : '';
}

function localPeer(node: LocalNode): PeerMetadata {
  const { labels } = node;
  const app = labels['app'] ?? labels['app.kubernetes.io/name'];
  const version = labels['version'] ?? labels['app.kubernetes.io/version'];
  return {
    workload: node.workload || UNKNOWN,
    namespace: node.namespace || UNKNOWN,
    canonicalService: labels['service.istio.io/canonical-name'] ?? app ?? (node.workload || UNKNOWN),
    canonicalRevision: labels['service.istio.io/canonical-revision'] ?? version ?? 'latest',
    app: app ?? UNKNOWN,
    version: version ?? UNKNOWN,
    cluster: node.cluster || UNKNOWN,
  };
}
