import { type Any, durationMs } from '@bufbuild/protobuf/wkt';
import {
  type TcpProxy,
  TcpProxySchema,
} from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import type { NetworkFilter } from '../../ports/accepted-connection.ts';
import type { NetworkFilterScope } from '../../ports/network-filter-scope.ts';
import { compileTunnel } from './http-tunnel.ts';
import { TcpConnection } from './tcp-connection.ts';
import type { TcpSettings, WeightedName } from './tcp-settings.ts';

/** Envoy's default; a connection without a byte for so long is closed. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;

/** Compiles a TCP proxy. Throws `invalid`, naming the field. */
export function compileTcpProxy(any: Any, scope: NetworkFilterScope): NetworkFilter {
  const proto = unpackValid(any, TcpProxySchema);
  if (proto === undefined) return refuse('tcp_proxy', 'cannot be decoded');
  if (proto.maxConnectAttempts === 0) refuse('max_connect_attempts', 'is 0');
  const { ctx, hooks, isInbound } = scope;
  const clusters = compileClusters(proto);
  const accessLogs = inField('access_log', () => hooks.compileAccessLogs(proto.accessLog));
  const metrics = hooks.istioMetrics ?? null;
  const prefix = `tcp.${proto.statPrefix}.`;
  const settings: TcpSettings = {
    ctx,
    clusters,
    totalWeight: clusters.reduce((sum, { weight }) => sum + weight, 0),
    maxConnectAttempts: proto.maxConnectAttempts ?? 1,
    tunnel: proto.tunnelingConfig === undefined ? null : compileTunnel(proto.tunnelingConfig, ctx.surroundings),
    hashesSource: compileHash(proto),
    idleTimeoutMs: proto.idleTimeout === undefined ? DEFAULT_IDLE_TIMEOUT_MS : durationMs(proto.idleTimeout),
    maxDurationMs:
      proto.maxDownstreamConnectionDuration === undefined ? 0 : durationMs(proto.maxDownstreamConnectionDuration),
    opened: metrics === null ? null : metrics.openRecorder(isInbound ? 'destination' : 'source'),
    records: metrics === null ? accessLogs : [metrics.recorder(isInbound ? 'destination' : 'source'), ...accessLogs],
    stats: {
      connections: ctx.stats.counter(`${prefix}downstream_cx_total`),
      noRoute: ctx.stats.counter(`${prefix}downstream_cx_no_route`),
      received: ctx.stats.counter(`${prefix}downstream_cx_rx_bytes_total`),
      sent: ctx.stats.counter(`${prefix}downstream_cx_tx_bytes_total`),
      idleTimeouts: ctx.stats.counter(`${prefix}idle_timeout`),
      durationReached: ctx.stats.counter(`${prefix}max_downstream_connection_duration`),
    },
  };
  return {
    neededRoutes: new Map(),
    clusterNames: clusters.map(({ name }) => name),
    open: (accepted, onClose) => new TcpConnection(accepted, settings, onClose),
  };
}

function compileClusters(proto: TcpProxy): WeightedName[] {
  const { clusterSpecifier } = proto;
  switch (clusterSpecifier.case) {
    case 'cluster':
      return [{ name: clusterSpecifier.value, weight: 1 }];
    case 'weightedClusters': {
      const { clusters } = clusterSpecifier.value;
      if (clusters.length === 0) refuse('weighted_clusters.clusters', 'is empty');
      return clusters.map((cluster, index) => {
        const path = `weighted_clusters.clusters[${index}]`;
        if (cluster.weight === 0) refuse(`${path}.weight`, 'is 0');
        return { name: cluster.name, weight: cluster.weight };
      });
    }
    case undefined:
      return refuse('cluster_specifier', 'is missing: set cluster or weighted_clusters');
  }
}

function compileHash({ hashPolicy }: TcpProxy): boolean {
  hashPolicy.forEach(({ policySpecifier }, index) => {
    if (policySpecifier.case !== 'sourceIp') refuse(`hash_policy[${index}]`, 'is not source_ip');
  });
  return hashPolicy.length > 0;
}
