import { type Clock, FlotillaError, type Random } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { ConfigSource } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { RouteTable } from '../http/route/route.ts';
import { decodeSecret } from '../identity/decode-secret.ts';
import { openSecretSources } from '../identity/secret-sources.ts';
import type { SecretTable } from '../identity/secret-table.ts';
import type { StatsRegistry } from '../observe/stats.ts';
import { type ClusterSet, type ClusterTarget, createClusterSet } from './cluster-set.ts';
import { fetchTimeoutMs, requireAds } from './config-source.ts';
import { countUpdates } from './count-updates.ts';
import type { RouteTables } from './context.ts';
import { decodeSecretResource } from './decode-resource.ts';
import type { ApplyDelta, DeltaStream } from './delta-stream.ts';
import { type CompiledForUse, createListenerSet, type ListenerSet, type ListenerTarget } from './listener-set.ts';
import { createRouteSet, type RouteSet } from './route-set.ts';

export interface ProxyConfigOptions<C extends CompiledForUse> {
  readonly bootstrap: Bootstrap;
  readonly secrets: SecretTable;
  /** `default` and `ROOTCA` are delivered by this process's identity. */
  readonly hasIdentity: boolean;
  readonly clusters: ClusterTarget;
  readonly listeners: ListenerTarget<C>;
  readonly compileRoutes: (config: RouteConfiguration) => RouteTable;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly drainMs: number;
}

/**
 * The configuration of one proxy: what is in force, what warms, and the stream that changes it.
 *
 * ```
 * static secrets, clusters ─▶ CDS, EDS ─▶ clusters warm ─▶ static listeners, LDS, RDS ─▶ listeners warm ─▶ ready
 * ```
 */
export interface ProxyConfig {
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly routes: RouteSet;
  /** Resolves when the first configuration is in force; rejects when a static resource cannot be used. */
  readonly ready: Promise<void>;
  isReady(): boolean;
  /** What readiness waits for, for `/init_dump`. */
  unready(): readonly string[];
  /** Version of the control plane's whole configuration, as last said; empty before. */
  systemVersion(): string;
  close(): void;
}

/** How long the answer to an LDS update waits for its listeners to be bound. */
const ANSWER_WITHIN_MS = 2_000;

/** The tables of a configuration that is still being put together. */
export interface LateRoutes extends RouteTables {
  bind(routes: RouteTables): void;
}

export function lateRoutes(): LateRoutes {
  let bound: RouteTables | null = null;
  return { get: (name) => bound?.get(name) ?? null, bind: (routes) => void (bound = routes) };
}

export function openProxyConfig<C extends CompiledForUse>(options: ProxyConfigOptions<C>): ProxyConfig {
  const { bootstrap, stats, clock, logger, secrets } = options;
  const { dynamicResources, staticResources } = bootstrap;
  let stream: DeltaStream | null = null;
  let isReady = false;
  let phase = 'static resources';
  let systemVersion = '';
  let isClosed = false;

  const sources = openSecretSources({
    secrets,
    statics: staticResources?.secrets ?? [],
    hasIdentity: options.hasIdentity,
    subscribeAds:
      dynamicResources?.adsConfig === undefined
        ? null
        : (names) => {
            adsSecretNames = names;
            stream?.subscribe('SDS', names);
          },
    openSds: (clusterName, secretName) => openSds(clusterName, secretName),
    logger,
  });
  let adsSecretNames: ReadonlySet<string> = new Set();
  let endpointNames: ReadonlySet<string> = new Set();
  let routeNames: ReadonlySet<string> = new Set();

  const watched = new Set<string>();
  const secretNeeds = {
    require(reference: Parameters<typeof sources.require>[0]): void {
      sources.require(reference);
      if (watched.has(reference.name)) return;
      watched.add(reference.name);
      secrets.holder(reference.name).subscribe(() => {
        clusters.secretArrived(reference.name);
        listeners.secretArrived(reference.name);
      });
    },
    isPresent: sources.isPresent,
  };
  const clusters = createClusterSet({
    target: options.clusters,
    secrets: secretNeeds,
    stats,
    clock,
    logger,
    onEndpointNames(names) {
      endpointNames = names;
      stream?.subscribe('EDS', names);
    },
  });
  const routes = createRouteSet({
    compile: options.compileRoutes,
    clock,
    onNames(names) {
      routeNames = names;
      stream?.subscribe('RDS', names);
    },
    onArrived: (name) => listeners.routesArrived(name),
  });
  const listeners: ListenerSet = createListenerSet<C>({
    target: options.listeners,
    routes,
    secrets: secretNeeds,
    stats,
    clock,
    logger,
    drainMs: options.drainMs,
    answerWithinMs: ANSWER_WITHIN_MS,
  });

  const firstClusters = firstUpdate(dynamicResources?.cdsConfig, 'cluster_manager.cds');
  const firstListeners = firstUpdate(dynamicResources?.ldsConfig, 'listener_manager.lds');

  async function start(): Promise<void> {
    addStaticClusters();
    if (dynamicResources?.adsConfig !== undefined) await openStream();
    phase = 'clusters (CDS)';
    if (dynamicResources?.cdsConfig !== undefined) {
      requireAds(dynamicResources.cdsConfig, 'dynamic_resources.cds_config');
      stream?.subscribeAll('CDS');
      await firstClusters.settled;
    }
    phase = 'clusters warming';
    await clusters.settled();
    phase = 'static listeners';
    const statics = (staticResources?.listeners ?? []).map((listener) =>
      listeners.addStatic(listener).catch((error: unknown) => {
        throw FlotillaError.from(error).within(`listener "${listener.name}"`);
      }),
    );
    phase = 'listeners (LDS)';
    if (dynamicResources?.ldsConfig !== undefined) {
      requireAds(dynamicResources.ldsConfig, 'dynamic_resources.lds_config');
      stream?.subscribeAll('LDS');
      await firstListeners.settled;
    }
    phase = 'listeners warming';
    await Promise.all(statics);
    await listeners.settled();
    isReady = true;
  }

  function addStaticClusters(): void {
    const control = controlClusters(bootstrap);
    for (const cluster of staticResources?.clusters ?? []) {
      try {
        clusters.addStatic(cluster);
      } catch (error) {
        // Clusters of the control plane speak HTTP/2 and are dialled by the streams themselves.
        if (control.has(cluster.name)) continue;
        throw FlotillaError.from(error).within(`cluster "${cluster.name}"`);
      }
    }
  }

  async function openStream(): Promise<void> {
    const ads = dynamicResources?.adsConfig;
    const target = ads?.grpcServices[0]?.targetSpecifier;
    if (target?.case !== 'envoyGrpc') {
      throw new FlotillaError('invalid', 'dynamic_resources.ads_config needs an envoy_grpc service');
    }
    const { ApiConfigSource_ApiType, openDeltaStream } = await import('./control-plane.ts');
    if (ads?.apiType !== ApiConfigSource_ApiType.DELTA_GRPC) {
      throw new FlotillaError('invalid', 'dynamic_resources.ads_config.api_type: only DELTA_GRPC is supported');
    }
    const cluster = await grpcCluster(target.value.clusterName);
    if (isClosed) return;
    stream = openDeltaStream({
      cluster,
      node: nodeOf(bootstrap),
      apply: {
        CDS: firstClusters.note(countUpdates(stats, clock, 'cluster_manager.cds', noteVersion(clusters.applyClusters))),
        EDS: noteVersion(clusters.applyEndpoints),
        LDS: firstListeners.note(
          countUpdates(stats, clock, 'listener_manager.lds', noteVersion(listeners.applyListeners)),
        ),
        RDS: noteVersion(routes.applyRoutes),
        SDS: applySecrets,
      },
      clock,
      random: options.random,
      logger,
      stats,
    });
    if (endpointNames.size > 0) stream.subscribe('EDS', endpointNames);
    if (routeNames.size > 0) stream.subscribe('RDS', routeNames);
    if (adsSecretNames.size > 0) stream.subscribe('SDS', adsSecretNames);
  }

  async function grpcCluster(name: string) {
    const config = staticResources?.clusters.find((cluster) => cluster.name === name);
    if (config === undefined) throw new FlotillaError('invalid', `unknown static cluster "${name}"`);
    const { compileGrpcCluster, secretsOfCluster } = await import('./control-plane.ts');
    for (const reference of secretsOfCluster(config)) secretNeeds.require(reference);
    return compileGrpcCluster(config, secrets);
  }

  function openSds(clusterName: string, secretName: string): { close(): void } {
    if (!(staticResources?.clusters ?? []).some((cluster) => cluster.name === clusterName)) {
      throw new FlotillaError('invalid', `secret "${secretName}": unknown static cluster "${clusterName}"`);
    }
    let client: { close(): void } | null = null;
    let isStopped = false;
    void (async () => {
      const [{ openSdsClient }, cluster] = await Promise.all([import('./control-plane.ts'), grpcCluster(clusterName)]);
      if (isStopped) return;
      client = openSdsClient({
        cluster,
        node: nodeOf(bootstrap),
        secret: secrets.holder(secretName),
        clock,
        random: options.random,
        logger,
      });
    })().catch((error: unknown) => logger.error('cannot open SDS', { secret: secretName, error }));
    return {
      close() {
        isStopped = true;
        client?.close();
      },
    };
  }

  const applySecrets: ApplyDelta = (update) => {
    const refusals = update.resources.flatMap(({ name, resource }) => {
      try {
        secrets.holder(name).set(decodeSecret(decodeSecretResource(name, resource)));
        return [];
      } catch (error) {
        return [{ name, reason: FlotillaError.from(error).message }];
      }
    });
    return Promise.resolve(refusals);
  };

  function noteVersion(apply: ApplyDelta): ApplyDelta {
    return (update) => {
      if (update.systemVersion !== '') systemVersion = update.systemVersion;
      return apply(update);
    };
  }

  /** Settles after the first update of a type was taken into use, or its time is over. */
  function firstUpdate(source: ConfigSource | undefined, statPrefix: string) {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const timeoutMs = fetchTimeoutMs(source);
    const timer =
      source === undefined || timeoutMs === 0
        ? null
        : clock.after(timeoutMs, () => {
            stats.counter(`${statPrefix}.init_fetch_timeout`).value += 1;
            logger.warn('the first configuration did not arrive in time', { source: statPrefix, timeoutMs });
            resolve();
          });
    return {
      settled,
      cancel: () => timer?.cancel(),
      note:
        (apply: ApplyDelta): ApplyDelta =>
        async (update) => {
          timer?.cancel();
          try {
            return await apply(update);
          } finally {
            resolve();
          }
        },
    };
  }

  const ready = start();
  // A caller that never asks for `ready` still must not die of an unhandled rejection.
  ready.catch(() => undefined);
  return {
    clusters,
    listeners,
    routes,
    ready,
    isReady: () => isReady,
    unready: () =>
      isReady
        ? []
        : [
            phase,
            ...clusters.warming().map(({ name, pending }) => `cluster ${name}: ${pending.join(', ')}`),
            ...listeners.warming().map(({ name, pending }) => `listener ${name}: ${pending.join(', ')}`),
          ],
    systemVersion: () => systemVersion,
    close() {
      isClosed = true;
      firstClusters.cancel();
      firstListeners.cancel();
      stream?.close();
      sources.close();
      clusters.close();
      listeners.close();
    },
  };
}

/** Clusters that carry the control plane: ADS, and SDS of other clusters. */
function controlClusters(bootstrap: Bootstrap): Set<string> {
  const names = new Set<string>();
  const { adsConfig } = bootstrap.dynamicResources ?? {};
  for (const { targetSpecifier } of adsConfig?.grpcServices ?? []) {
    if (targetSpecifier.case === 'envoyGrpc') names.add(targetSpecifier.value.clusterName);
  }
  // Istio's name for the agent that serves SDS beside the proxy.
  names.add('sds-grpc');
  return names;
}

function nodeOf(bootstrap: Bootstrap) {
  if (bootstrap.node === undefined || bootstrap.node.id === '') {
    throw new FlotillaError('invalid', 'node.id is needed for dynamic resources');
  }
  return bootstrap.node;
}
