import { describe, expect, it } from 'vitest';
import type { LocalNode } from '../base/local-node.ts';
import { openIstioMetrics } from './istio-metrics.ts';
import { ENVOY_TAG_NAMES, extractTags, renderPrometheus } from './prometheus.ts';
import { StatsRegistry } from '../base/stats.ts';
import { type PeerMetadata, StreamInfo } from '@flotilla/stream';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';

const NODE: LocalNode = {
  id: 'sidecar~127.0.0.1~productpage-v1.default~default.svc.cluster.local',
  workload: 'productpage-v1',
  namespace: 'default',
  serviceAccount: 'bookinfo-productpage',
  labels: { app: 'productpage', version: 'v1' },
  cluster: 'Kubernetes',
  meshId: 'mesh',
  trustDomain: 'cluster.local',
};
const REVIEWS: PeerMetadata = {
  workload: 'reviews-v2',
  namespace: 'default',
  canonicalService: 'reviews',
  canonicalRevision: 'v2',
  app: 'reviews',
  version: 'v2',
  cluster: 'Kubernetes',
};

function finished(protocol: string | null): StreamInfo {
  const info = new StreamInfo(PLAIN_CONNECTION, 0, 100);
  info.protocol = protocol;
  info.responseCode = 200;
  info.endMs = 107;
  info.bytesSent = 5;
  info.upstreamCluster = 'outbound|9080||reviews.default.svc.cluster.local';
  info.upstreamPeer = REVIEWS;
  info.upstreamPeerUriSan = 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews';
  info.destinationService = { host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' };
  return info;
}

const everything = {
  tags: ENVOY_TAG_NAMES,
  fixedTags: {},
  clusterNames: new Set<string>(),
  usedOnly: true,
  filter: null,
};

describe("Istio's standard metrics", () => {
  it('count a request with both ends of the hop', () => {
    const stats = new StatsRegistry();
    const record = openIstioMetrics(stats, NODE).recorder('source');
    record(finished('HTTP/1.1'));
    record(finished('HTTP/1.1'));
    const [requests] = [...stats.all()].filter(({ name }) => name === 'istio_requests_total');
    expect(requests?.metric).toMatchObject({ value: 2 });
    expect(requests?.labels).toMatchObject({
      reporter: 'source',
      source_workload: 'productpage-v1',
      source_canonical_service: 'productpage',
      source_principal: 'spiffe://cluster.local/ns/default/sa/bookinfo-productpage',
      destination_workload: 'reviews-v2',
      destination_principal: 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews',
      destination_service: 'reviews.default.svc.cluster.local',
      destination_service_name: 'reviews',
      destination_version: 'v2',
      request_protocol: 'http',
      response_code: '200',
      response_flags: '-',
      connection_security_policy: 'unknown',
    });
    expect(renderPrometheus(stats.all(), everything)).toMatch(
      /istio_request_duration_milliseconds_bucket\{reporter="source".*le="10"\} 2\n/,
    );
  });

  it('say on the server side whether the hop was mutual TLS', () => {
    const stats = new StatsRegistry();
    const record = openIstioMetrics(stats, NODE).recorder('destination');
    record(finished('HTTP/1.1'));
    record(
      Object.assign(new StreamInfo({ ...PLAIN_CONNECTION, peerUriSan: 'spiffe://cluster.local/ns/a/sa/b' }, 0, 0), {
        protocol: 'HTTP/1.1',
        responseCode: 200,
      }),
    );
    const policies = [...stats.all()]
      .filter(({ name }) => name === 'istio_requests_total')
      .map(({ labels }) => labels['connection_security_policy']);
    expect(policies).toEqual(['none', 'mutual_tls']);
  });

  it('count TCP connections and their bytes', () => {
    const stats = new StatsRegistry();
    const metrics = openIstioMetrics(stats, NODE);
    metrics.openRecorder('source')(finished(null));
    expect([...stats.all()].map(({ name }) => name)).toEqual(['istio_tcp_connections_opened_total']);
    metrics.recorder('source')(finished(null));
    expect([...stats.all()].map(({ name }) => name)).toEqual([
      'istio_tcp_connections_opened_total',
      'istio_tcp_connections_closed_total',
      'istio_tcp_sent_bytes_total',
      'istio_tcp_received_bytes_total',
    ]);
  });
});

describe("Envoy's tags", () => {
  const known = new Set(['a.b', 'outbound|80||x.com']);
  it.each([
    ['cluster.a.b.upstream_rq_total', 'envoy_cluster_upstream_rq_total', { envoy_cluster_name: 'a.b' }],
    ['cluster.plain.upstream_cx_active', 'envoy_cluster_upstream_cx_active', { envoy_cluster_name: 'plain' }],
    [
      'cluster.outbound|9080||reviews.default.svc.cluster.local.upstream_rq_5xx',
      'envoy_cluster_upstream_rq_xx',
      { envoy_cluster_name: 'outbound|9080||reviews.default.svc.cluster.local', envoy_response_code_class: '5' },
    ],
    [
      'cluster.outbound|80||x.com.external.upstream_rq_503',
      'envoy_cluster_external_upstream_rq',
      { envoy_cluster_name: 'outbound|80||x.com', envoy_response_code: '503' },
    ],
    [
      'http.outbound_0.0.0.0_9080.downstream_rq_total',
      'envoy_http_downstream_rq_total',
      { envoy_http_conn_manager_prefix: 'outbound_0.0.0.0_9080' },
    ],
    [
      'listener.127.0.0.1_8080.downstream_cx_total',
      'envoy_listener_downstream_cx_total',
      { envoy_listener_address: '127.0.0.1_8080' },
    ],
    ['tcp.my.tcp.downstream_cx_total', 'envoy_tcp_downstream_cx_total', { envoy_tcp_prefix: 'my.tcp' }],
    ['cluster_manager.cds.update_success', 'envoy_cluster_manager_cds_update_success', {}],
    ['server.live', 'envoy_server_live', {}],
  ])('%s', (dotted, name, labels) => {
    expect(extractTags(dotted, ENVOY_TAG_NAMES, known)).toEqual({ name, labels });
  });

  it('escapes label values', () => {
    const stats = new StatsRegistry();
    stats.counter('istio_x', { a: 'q"\\\n' }).value = 1;
    expect(renderPrometheus(stats.all(), everything)).toBe('# TYPE istio_x counter\nistio_x{a="q\\"\\\\\\n"} 1\n');
  });
});
