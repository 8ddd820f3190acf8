import { toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  FlotillaError,
  type Clock,
  type Random,
  releaseYoungGeneration,
  type SocketAddress,
  StopStack,
} from '@flotilla/runtime';
import type { LogBounds } from '@flotilla/runtime/disk';
import type { Logger } from '@flotilla/observe';
import type { IdentitySource } from '@flotilla/spiffe';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { AccessLog as AccessLogConfig } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import { adminRoutes } from './admin/pages.ts';
import { downstreamConnectionLimit } from './bootstrap/overload.ts';
import { checkPlaintext } from '@flotilla/http-port';
import { serveAdmin } from './admin/server.ts';
import { controlClusterNames } from './config/control-connections.ts';
import type { ProxyContext } from './ports/context.ts';
import { lateNames, openProxyConfig } from './config/proxy-config.ts';
import { type CompiledListener, compileListener, openListenerManager } from './downstream/listener.ts';
import { OwnListeners } from './downstream/own-listeners.ts';
import type { AdmitConnection } from './downstream/peer-user.ts';
import { processSurroundings } from './base/surroundings.ts';
import { checkHttpFilter } from './http/filters/registry.ts';
import { routeOptions } from './http/route-options.ts';
import { compileRouteTable, type RouteTable } from '@flotilla/route';
import { deliverIdentity } from './identity/identity-secrets.ts';
import { createSecretTable } from './identity/secret-table.ts';
import { localNodeOf } from './base/local-node.ts';
import { prepareCel } from './observe/prepare-cel.ts';
import { compileAccessLogs } from './observe/compile-access-logs.ts';
import { openIstioMetrics } from './observe/istio-metrics.ts';
import { type LevelControl, leveledLogger } from './base/leveled-logger.ts';
import { LogServices } from './observe/service-log/compile.ts';
import { openLogWriters } from './observe/log-writer.ts';
import { serverStats } from './observe/server-stats.ts';
import { type RegisteredMetric, StatsRegistry } from './base/stats.ts';
import { compileStatsConfig } from './base/stats-config.ts';
import { fixedTagsOf, tagNamesOf } from './observe/tag-names.ts';
import { openClusterManager } from './upstream/cluster-manager.ts';

export interface ProxyOptions {
  readonly bootstrap: Bootstrap;
  /** Delivers the secrets `default` and `ROOTCA` in this process. The caller closes it. */
  readonly identity?: IdentitySource;
  readonly logger: Logger;
  /** Changes the level of `logger`; default: a filter before it. */
  readonly log?: LevelControl;
  readonly clock: Clock;
  readonly random: Random;
  /** False: no administration pages, as in all workers but the first. */
  readonly hasAdmin?: boolean;
  /** Several processes listen on the same ports. */
  readonly reusePort?: boolean;
  readonly concurrency?: number;
  readonly configPath?: string;
  /** Users of this machine that may connect to outbound listeners, by number; default: whoever can. Linux. */
  readonly localUsers?: readonly number[];
  /** How much is kept of access logs in files. */
  readonly logBounds?: LogBounds;
  /** How long connections of removed listeners may go on, milliseconds. */
  readonly drainMs?: number;
  /** Statistics of other workers. */
  readonly otherStats?: () => Promise<readonly (readonly RegisteredMetric[])[]>;
  /** Names of the administration port beside those that are known by themselves (`libs/http-port`). Default: none. */
  readonly httpHosts?: readonly string[];
  /** The administration port may be off loopback. */
  readonly allowPlaintext?: boolean;
  /** `/quitquitquit` was asked for. */
  readonly onQuit?: () => void;
  /** `/drain_listeners` was asked for, for the other workers. */
  readonly onDrain?: () => void;
}

export interface RunningProxy {
  /** Null without administration pages. */
  readonly admin: SocketAddress | null;
  listeners(): readonly { readonly name: string; readonly host: string; readonly port: number }[];
  /** Resolves when the first configuration is in force; rejects when a static resource cannot be used. */
  readonly ready: Promise<void>;
  isReady(): boolean;
  stats(): readonly RegisteredMetric[];
  /** Readiness fails and connections finish; ports stay open until `close`. */
  drain(): void;
  /**
   * Readiness fails and the control plane hears of it. Where anybody is connected, ports stay open for `noticeMs`, in
   * which clients hear of it too, and connections end with their next answer. Then ports close, and requests in flight finish for up to `drainMs`; then everything closes. A sidecar's outbound ports stay until the inbound
   * connections are done: those requests need what their application calls.
   */
  stop(options: { readonly drainMs: number; readonly noticeMs?: number }): Promise<void>;
  close(): Promise<void>;
}

const VERSION = '0.1.0';
const DRAIN_MS = 45_000;

/**
 * Starts the data plane in this process. Rejects when the administration port cannot be bound; faults of the
 * configuration come through `ready`.
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { bootstrap, clock, random, identity } = options;
  const stop = new StopStack();
  const startedMs = clock.now();
  const { logger, control } =
    options.log === undefined
      ? leveledLogger(options.logger, options.logger.isDebug() ? 'debug' : 'info')
      : { logger: options.logger, control: options.log };
  const drainMs = options.drainMs ?? DRAIN_MS;
  await prepareCel([toBinary(BootstrapSchema, bootstrap)]);

  try {
    // What everything below counts with, and who this proxy is.
    const stats = new StatsRegistry(compileStatsConfig(bootstrap.statsConfig));
    const node = localNodeOf(bootstrap.node);

    // Certificates and roots by name; the identity of this process delivers its own without a detour.
    const secrets = createSecretTable();
    if (identity !== undefined) stop.push('identity', deliverIdentity(identity, secrets));

    // Upstream: clusters, their endpoints, balancers, pools.
    const own = new OwnListeners();
    const isOwnListener = own.has.bind(own);
    const clusters = openClusterManager({ secrets, stats, clock, random, logger, isOwnListener });
    stop.push('clusters', () => clusters.close());

    // Routes are found by name while requests run; the table behind the name is swapped whole.
    const routes = lateNames<RouteTable>();
    // As are configurations of filters that the control plane sends on their own.
    const extensions = lateNames<Any>();
    const surroundings = processSurroundings(clock);
    const ctx: ProxyContext = {
      clusters,
      routes,
      extensions,
      secrets,
      stats,
      clock,
      random,
      logger,
      node,
      surroundings,
    };

    // What is written down about a request when it is over.
    const writers = openLogWriters({
      clock,
      logger,
      stats,
      ...(options.logBounds === undefined ? {} : { bounds: options.logBounds }),
    });
    stop.push('access logs', () => writers.close());
    const services = new LogServices({ clusters, clock, random, logger, stats, node: bootstrap.node });
    stop.push('access log services', () => services.close());
    const hooks = {
      compileAccessLogs: (configs: readonly AccessLogConfig[]) =>
        compileAccessLogs(configs, { writers, services, surroundings }, random),
      istioMetrics: openIstioMetrics(stats, node),
    };

    // Downstream: accept, sniff, filter chain, TLS, connection manager or TCP proxy.
    const admitOutbound = options.localUsers === undefined ? null : await openAdmission(options.localUsers, ctx, stop);
    const connectionLimit = downstreamConnectionLimit(bootstrap);
    const listeners = openListenerManager(ctx, {
      ...(admitOutbound === null ? {} : { admitOutbound }),
      reusePort: options.reusePort === true,
      own,
      // Workers share the limit evenly: none knows how many connections the others have.
      connectionLimit: { ...connectionLimit, max: Math.ceil(connectionLimit.max / (options.concurrency ?? 1)) },
    });
    stop.push('listeners', () => listeners.close());

    // The configuration that fills all of these: static resources, and the stream from the control plane.
    const config = openProxyConfig<CompiledListener>({
      bootstrap,
      secrets,
      hasIdentity: identity !== undefined,
      clusters,
      listeners: {
        compile: (listener) => compileListener(listener, ctx, hooks),
        apply: (compiled) => listeners.apply(compiled),
        remove: (name, drain) => listeners.remove(name, drain),
      },
      checkExtension: (any) => checkHttpFilter(any, ctx, hooks),
      compileRoutes: (table) => compileRouteTable(table, routeOptions(ctx)),
      stats,
      clock,
      random,
      logger,
      drainMs,
    });
    routes.bind(config.routes);
    extensions.bind(config.extensions);
    stop.push('configuration', () => config.close());

    let isDraining = false;
    const drain = (): void => {
      isDraining = true;
      listeners.drain();
      options.onDrain?.();
    };
    const live = serverStats(stats, clock, startedMs, options.concurrency ?? 1);
    const ownStats = (): readonly RegisteredMetric[] => {
      live.update(config.isReady() && !isDraining);
      return [...stats.all()];
    };

    // The administration pages look at all of it.
    let admin: SocketAddress | null = null;
    const address = adminAddressOf(bootstrap);
    if (address !== null && options.hasAdmin !== false) {
      checkPlaintext({ what: 'administration', address, isAllowed: options.allowPlaintext === true, logger });
      const { sumStats } = await import('./admin/stats-page.ts');
      const carriers = controlClusterNames(bootstrap);
      const server = await serveAdmin({
        address,
        hosts: options.httpHosts ?? [],
        routes: adminRoutes(),
        logger,
        state: {
          bootstrap,
          config,
          secrets,
          stats,
          allStats: async () => sumStats([ownStats(), ...((await options.otherStats?.()) ?? [])]),
          clusters: () => clusters.describe().filter(({ name }) => !carriers.has(name)),
          listeners: () => listeners.addresses(),
          tags: tagNamesOf(bootstrap),
          fixedTags: fixedTagsOf(bootstrap),
          clock,
          startedMs,
          version: VERSION,
          concurrency: options.concurrency ?? 1,
          configPath: options.configPath ?? '',
          isReady: () => config.isReady(),
          isDraining: () => isDraining,
          drain,
          quit: () => options.onQuit?.(),
          log: control,
          health: { isFailing: false },
        },
      });
      stop.push('admin', () => server.close());
      admin = server.address;
    }

    // What follows is no start any more.
    void config.ready.then(releaseYoungGeneration, releaseYoungGeneration);
    return {
      admin,
      listeners: () => listeners.addresses(),
      ready: config.ready,
      isReady: () => config.isReady() && !isDraining,
      stats: ownStats,
      drain,
      async stop({ drainMs: lastMs, noticeMs = 0 }) {
        isDraining = true;
        await config.leave();
        if (noticeMs > 0 && listeners.hasConnections()) {
          listeners.drain();
          await passed(clock, noticeMs);
        }
        config.close();
        await listeners.shutDown(lastMs);
        await stop.close();
      },
      close: () => stop.close(),
    };
  } catch (error) {
    await stop.close();
    throw error;
  }
}

function passed(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve, { keepAlive: true }));
}

function adminAddressOf(bootstrap: Bootstrap): SocketAddress | null {
  const address = bootstrap.admin?.address?.address;
  if (address === undefined) return null;
  if (address.case !== 'socketAddress' || address.value.portSpecifier.case !== 'portValue') {
    throw new FlotillaError('invalid', 'admin.address must be a socket_address with a port_value');
  }
  return { host: address.value.address, port: address.value.portSpecifier.value };
}

async function openAdmission(
  users: readonly number[],
  { stats, logger }: ProxyContext,
  stop: StopStack,
): Promise<AdmitConnection> {
  const [{ openSocketDiagnosis }, { admitUsers }] = await Promise.all([
    import('./downstream/socket-diagnosis.ts'),
    import('./downstream/peer-user.ts'),
  ]);
  const diagnosis = await openSocketDiagnosis();
  stop.push('questions about local users', () => diagnosis.close());
  const refused = stats.counter('listener_manager.local_user_refused');
  return admitUsers(users, diagnosis, { logger, onRefused: () => (refused.value += 1) });
}
