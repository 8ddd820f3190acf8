import { type Clock, FlotillaError, type Random } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { ConfigSource } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { RouteTable } from '@flotilla/route';
import { decodeSecret } from '../identity/decode-secret.ts';
import { openSecretSources } from '../identity/secret-sources.ts';
import type { SecretTable } from '../identity/secret-table.ts';
import type { StatsRegistry } from '../base/stats.ts';
import { type ClusterSet, createClusterSet } from './cluster-set.ts';
import type { ClusterTarget } from './cluster-target.ts';
import { fetchTimeoutMs, requireAds } from '../base/config-source.ts';
import { controlClusterNames, controlConnections } from './control-connections.ts';
import { countUpdates } from './count-updates.ts';
import { decodeRoutes, decodeSecretResource } from './decode-resource.ts';
import type { ApplyUpdate, DiscoveryStream } from './discovery-stream.ts';
import { firstUpdate } from './first-update.ts';
import { type CompiledForUse, createListenerSet, type ListenerSet, type ListenerTarget } from './listener-set.ts';
import { createExtensionSet, type ExtensionSet, type ExtensionSetOptions } from './extension-set.ts';
import { createNamedSet, type NamedSet } from './named-set.ts';

export interface ProxyConfigOptions<C extends CompiledForUse> {
  readonly bootstrap: Bootstrap;
  readonly secrets: SecretTable;
  /** `default` and `ROOTCA` are delivered by this process's identity. */
  readonly hasIdentity: boolean;
  readonly clusters: ClusterTarget;
  readonly listeners: ListenerTarget<C>;
  readonly compileRoutes: (config: RouteConfiguration) => RouteTable;
  readonly checkExtension: ExtensionSetOptions['check'];
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
  readonly routes: NamedSet<RouteTable>;
  readonly extensions: ExtensionSet;
  /** Resolves when the first configuration is in force; rejects when a static resource cannot be used. */
  readonly ready: Promise<void>;
  isReady(): boolean;
  /** What readiness waits for, for `/init_dump`. */
  unready(): readonly string[];
  /** Version of the control plane's whole configuration, as last said; empty before. */
  systemVersion(): string;
  /** Tells the control plane that this proxy goes for good; what is in force stays. Resolves when it has heard, or soon. */
  leave(): Promise<void>;
  close(): void;
}

/** How long the answer to an LDS update waits for its listeners to be bound. */
const ANSWER_WITHIN_MS = 2_000;

/** What is found by name in a configuration that is still being put together. */
export interface LateNames<V> {
  get(name: string): V | null;
  bind(names: { get(name: string): V | null }): void;
}

export function lateNames<V>(): LateNames<V> {
  let bound: { get(name: string): V | null } | null = null;
  return { get: (name) => bound?.get(name) ?? null, bind: (names) => void (bound = names) };
}

export function openProxyConfig<C extends CompiledForUse>(options: ProxyConfigOptions<C>): ProxyConfig {
  const { bootstrap, stats, clock, logger, secrets } = options;
  const { dynamicResources, staticResources } = bootstrap;
  let stream: DiscoveryStream | null = null;
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
    openSds: (clusterName, secretName) => control.openSds(clusterName, secretName),
    logger,
  });
  const control = controlConnections({
    bootstrap,
    secrets,
    requireSecret: (reference) => secretNeeds.require(reference),
    stats,
    clock,
    random: options.random,
    logger,
  });
  let adsSecretNames: ReadonlySet<string> = new Set();
  let endpointNames: ReadonlySet<string> = new Set();
  let routeNames: ReadonlySet<string> = new Set();
  let extensionNames: ReadonlySet<string> = new Set();

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
  const routes = createNamedSet({
    decode: decodeRoutes,
    compile: options.compileRoutes,
    keepsRemoved: true,
    stats,
    clock,
    onNames(names) {
      routeNames = names;
      stream?.subscribe('RDS', names);
    },
    onArrived: (name) => listeners.routesArrived(name),
  });
  const extensions = createExtensionSet({
    check: options.checkExtension,
    stats,
    clock,
    onNames(names) {
      extensionNames = names;
      stream?.subscribe('ECDS', names);
    },
    onArrived: (name) => listeners.extensionArrived(name),
  });
  const listeners: ListenerSet = createListenerSet<C>({
    target: options.listeners,
    routes,
    extensions,
    secrets: secretNeeds,
    stats,
    clock,
    logger,
    drainMs: options.drainMs,
    answerWithinMs: ANSWER_WITHIN_MS,
  });

  const firstClusters = first(dynamicResources?.cdsConfig, 'cluster_manager.cds');
  const firstListeners = first(dynamicResources?.ldsConfig, 'listener_manager.lds');

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
    const statics = listeners.addStatic(staticResources?.listeners ?? []);
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
    const carriers = controlClusterNames(bootstrap);
    clusters.addStatic(staticResources?.clusters ?? [], ({ name }, error) => {
      // Clusters of the control plane speak HTTP/2 and are dialled by the streams themselves.
      if (!carriers.has(name)) throw error;
    });
  }

  async function openStream(): Promise<void> {
    const opened = await control.openAds({
      CDS: firstClusters.watch(countUpdates(stats, clock, 'cluster_manager.cds', noteVersion(clusters.applyClusters))),
      EDS: noteVersion(clusters.applyEndpoints),
      LDS: firstListeners.watch(
        countUpdates(stats, clock, 'listener_manager.lds', noteVersion(listeners.applyListeners)),
      ),
      RDS: noteVersion(routes.applyUpdate),
      ECDS: noteVersion(extensions.applyUpdate),
      SDS: applySecrets,
    });
    if (isClosed) {
      opened.close();
      return;
    }
    stream = opened;
    if (endpointNames.size > 0) stream.subscribe('EDS', endpointNames);
    if (routeNames.size > 0) stream.subscribe('RDS', routeNames);
    if (adsSecretNames.size > 0) stream.subscribe('SDS', adsSecretNames);
    if (extensionNames.size > 0) stream.subscribe('ECDS', extensionNames);
  }

  const applySecrets: ApplyUpdate = (update) => {
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

  function noteVersion(apply: ApplyUpdate): ApplyUpdate {
    return (update) => {
      if (update.systemVersion !== '') systemVersion = update.systemVersion;
      return apply(update);
    };
  }

  function first(source: ConfigSource | undefined, statPrefix: string) {
    const timeoutMs = source === undefined ? 0 : fetchTimeoutMs(source);
    return firstUpdate(clock, timeoutMs, () => {
      stats.counter(`${statPrefix}.init_fetch_timeout`).value += 1;
      logger.warn('the first configuration did not arrive in time', { source: statPrefix, timeoutMs });
    });
  }

  const ready = start();
  // A caller that never asks for `ready` still must not die of an unhandled rejection.
  ready.catch(() => undefined);
  return {
    clusters,
    listeners,
    routes,
    extensions,
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
    async leave() {
      await stream?.leave();
    },
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
