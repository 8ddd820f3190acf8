import { TEST_SURROUNDINGS } from '@flotilla/format/testing';
import { createRegistry, fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { file_google_protobuf_duration, file_google_protobuf_wrappers } from '@bufbuild/protobuf/wkt';
import { silentLogger } from '@flotilla/observe';
import { FakeClock, seededRandom } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import { OriginalDstSchema } from '@flotilla/wire/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js';
import { TlsInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { RBACSchema } from '@flotilla/wire/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import { TypedStructSchema } from '@flotilla/wire/xds/type/v3/typed_struct_pb.js';
import type { ProxyContext } from '../../ports/context.ts';
import { compileListener } from '../../downstream/listener.ts';
import { openListenerManager, type ListenerManager } from '../../downstream/listener-manager.ts';
import { createSecretTable } from '../../identity/secret-table.ts';
import { openIstioMetrics } from '../../observe/istio-metrics.ts';
import { StatsRegistry } from '../../base/stats.ts';
import type { StreamInfo } from '@flotilla/stream';
import { type OpenClusterManager, openClusterManager } from '../../upstream/cluster-manager.ts';
import type { RouteTable } from '@flotilla/route';

const registry = createRegistry(
  HTTPFaultSchema,
  RouterSchema,
  HttpInspectorSchema,
  TlsInspectorSchema,
  OriginalDstSchema,
  HttpConnectionManagerSchema,
  TcpProxySchema,
  RBACSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  HttpProtocolOptionsSchema,
  TypedStructSchema,
  file_google_protobuf_duration,
  file_google_protobuf_wrappers,
);

/** The data plane of one proxy with real sockets on loopback, a clock that moves when told, and no control plane. */
export interface World {
  readonly clock: FakeClock;
  readonly ctx: ProxyContext;
  readonly clusters: OpenClusterManager;
  readonly secrets: ReturnType<typeof createSecretTable>;
  readonly listeners: ListenerManager;
  readonly routes: Map<string, RouteTable>;
  /** Records of finished exchanges and TCP connections. */
  readonly records: StreamInfo[];
  counter(name: string): number;
  /** Applies a listener in its JSON form; gives its port. */
  listen(listener: JsonObject): Promise<number>;
  /** A static cluster of these ports on loopback. */
  cluster(name: string, ports: readonly number[], more?: JsonObject): void;
  /** Moves the clock in small steps until the promise settles. */
  passTimeUntil<T>(promise: Promise<T>, stepMs?: number): Promise<T>;
  close(): Promise<void>;
}

export function openWorld(random = seededRandom(1)): World {
  const clock = new FakeClock();
  const stats = new StatsRegistry();
  const secrets = createSecretTable();
  const clusters = openClusterManager({ secrets, stats, clock, random, logger: silentLogger });
  const routes = new Map<string, RouteTable>();
  const records: StreamInfo[] = [];
  const ctx: ProxyContext = {
    clusters,
    routes: { get: (name) => routes.get(name) ?? null },
    extensions: { get: () => null },
    secrets,
    stats,
    clock,
    random,
    logger: silentLogger,
    node: {
      id: 'sidecar~127.0.0.1~web.default~default.svc.cluster.local',
      workload: 'web',
      namespace: 'default',
      serviceAccount: 'web',
      labels: { app: 'web', version: 'v1' },
      cluster: 'Kubernetes',
      meshId: 'mesh',
      trustDomain: 'cluster.local',
    },
    surroundings: TEST_SURROUNDINGS,
  };
  const listeners = openListenerManager(ctx);
  const istioMetrics = openIstioMetrics(stats, ctx.node);
  return {
    clock,
    ctx,
    clusters,
    secrets,
    listeners,
    routes,
    records,
    counter: (name) =>
      [...stats.all()]
        .filter((known) => known.name === name)
        .reduce((sum, { metric }) => sum + ('value' in metric ? metric.value : 0), 0),
    async listen(json) {
      const proto = fromJson(ListenerSchema, json, { registry });
      await listeners.apply(
        compileListener(proto, ctx, {
          // Of whole connections only those that came to nothing: their requests have records of their own.
          compileAccessLogs: () => [
            (info) => {
              if (!info.isOfListener || info.responseCodeDetails === 'filter_chain_not_found') records.push(info);
            },
          ],
          istioMetrics,
        }),
      );
      return listeners.addresses().find(({ name }) => name === proto.name)?.port ?? 0;
    },
    cluster(name, ports, more = {}) {
      clusters.apply(fromJson(ClusterSchema, staticCluster(name, ports, more), { registry }));
    },
    async passTimeUntil(promise, stepMs = 5) {
      const state = { isSettled: false };
      const watched = promise.finally(() => (state.isSettled = true));
      watched.catch(() => undefined);
      while (!state.isSettled) {
        clock.advance(stepMs);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return watched;
    },
    async close() {
      await listeners.close();
      clusters.close();
    },
  };
}

function staticCluster(name: string, ports: readonly number[], more: JsonObject): JsonObject {
  return {
    name,
    type: 'STATIC',
    connectTimeout: '1s',
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: ports.map((portValue) => ({
            endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue } } },
          })),
        },
      ],
    },
    ...more,
  };
}

/** An HTTP listener on any free port of loopback. `routes` of one virtual host that takes every authority. */
export function httpListener(
  routes: readonly JsonObject[],
  manager: JsonObject = {},
  listener: JsonObject = {},
): JsonObject {
  return {
    name: 'http',
    address: { socketAddress: { address: '127.0.0.1', portValue: 0 } },
    filterChains: [{ filters: [httpManager(routes, manager)] }],
    ...listener,
  };
}

export function httpManager(routes: readonly JsonObject[], manager: JsonObject = {}): JsonObject {
  return {
    name: 'hcm',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      statPrefix: 'test',
      httpFilters: [fault({}), router],
      ...(manager['rds'] === undefined
        ? { routeConfig: { name: 'r', virtualHosts: [{ name: 'all', domains: ['*'], routes: [...routes] }] } }
        : {}),
      ...manager,
    },
  };
}

export const router: JsonObject = {
  name: 'envoy.filters.http.router',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

/** A fault filter, or with `route` the same configuration for a route. */
export function fault(config: JsonObject): JsonObject {
  return { name: 'envoy.filters.http.fault', typedConfig: faultConfig(config) };
}

export function faultConfig(config: JsonObject): JsonObject {
  return { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault', ...config };
}

/** A route by prefix to a cluster. */
export function route(prefix: string, action: JsonObject, more: JsonObject = {}): JsonObject {
  return { match: { prefix }, route: action, ...more };
}

export type { JsonObject, JsonValue };
