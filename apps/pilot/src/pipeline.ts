import type { ConnectRouter, Transport } from '@connectrpc/connect';
import type { VersionBus } from '@flotilla/bus';
import type { Logger, Telemetry } from '@flotilla/observe';
import { type Clock, type Random, type SocketAddress, StopStack } from '@flotilla/runtime';
import type { IdentitySource } from '@flotilla/spiffe';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { Follower } from './ingest/follow.ts';
import { Registration, type RegistrationSettings } from './ingest/registration.ts';
import { applyUpdate, emptyMesh } from './mesh/mesh.ts';
import { noMetrics, pilotMetrics } from './metrics.ts';
import { Debouncer, type DebounceSettings } from './push/debounce.ts';
import { serveAds } from './serve/ads.ts';
import { Sessions } from './serve/sessions.ts';
import { statusRoutes } from './serve/status.ts';
import { ResourceCache } from './translate/cache.ts';

export interface PilotOptions {
  /** How to reach `GalleyService`: read by `ListChanges`, written for the workloads of connected proxies. */
  readonly galley: Transport;
  readonly bus: VersionBus;
  /** Plaintext ADS; for loopback. `null`: none. */
  readonly xds: SocketAddress | null;
  /** mTLS ADS; needs `identity`. `null`: none. */
  readonly xdsTls: SocketAddress | null;
  readonly identity: IdentitySource | null;
  readonly trustDomain: string;
  readonly meshConfig: MeshConfig;
  /** Suffix of Kubernetes service names, usually `cluster.local`. */
  readonly domainSuffix: string;
  readonly rootNamespace: string;
  readonly debounce: DebounceSettings;
  readonly registration: RegistrationSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: Random;
  readonly telemetry?: Telemetry;
}

export interface Pilot {
  readonly xds: SocketAddress | null;
  readonly xdsTls: SocketAddress | null;
  /** Resolves when the first snapshot is in; until then proxies are connected, and wait. */
  readonly ready: Promise<void>;
  /** Adds `flotilla.pilot.v1.PilotService`. */
  readonly routes: (router: ConnectRouter) => void;
  /** Version of the mesh configuration that was ingested last, 0 before the first. */
  version(): number;
  /** Ends all streams. What proxies registered stays. */
  close(): Promise<void>;
}

/**
 * Starts pilot, whose stages in order are:
 *
 * 1. ingest     galley's versions as they are committed (`ingest/follow`), and back to it the workloads of the proxies
 *               that are connected (`ingest/registration`)
 * 2. mesh       one immutable model per version (`mesh/mesh`), services and endpoints from the registry (`registry/`)
 * 3. push       changes that come together go out together (`push/debounce`), to one proxy after another
 *               (`push/queue`), only the types concerned (`push/affected`), make before break (`push/order`)
 * 4. translate  from what a proxy sees of the mesh (`mesh/view`) to Envoy's resources (`translate/generate`), each
 *               encoded once (`translate/cache`)
 * 5. serve      streams, SotW and delta (`serve/session`), on both ports (`serve/ads`), and their status
 */
export async function startPilot(options: PilotOptions): Promise<Pilot> {
  const { clock, logger, galley, bus, random = Math.random } = options;
  const stop = new StopStack();
  const cache = new ResourceCache();
  const sessions = new Sessions();
  const { promise: ready, resolve: markReady } = Promise.withResolvers<void>();

  let mesh = emptyMesh({
    config: options.meshConfig,
    trustDomain: options.trustDomain,
    domainSuffix: options.domainSuffix,
    rootNamespace: options.rootNamespace,
  });
  let changedAtMs: number | null = null;
  let isReady = false;

  const metrics =
    options.telemetry === undefined
      ? noMetrics
      : pilotMetrics(options.telemetry.meter, {
          services: () => mesh.registry.services.length,
          proxies: () => sessions.list().length,
          virtualServices: () => mesh.virtualServices.length,
          version: () => mesh.version,
        });

  const registration = new Registration({ galley, settings: options.registration, clock, random, logger });
  stop.push('registration', () => registration.close());

  const push = () => {
    const startedAtMs = changedAtMs;
    changedAtMs = null;
    sessions.push(mesh, () => {
      if (startedAtMs !== null) metrics.converged(clock.monotonicMs() - startedAtMs);
    });
  };
  const debouncer = new Debouncer(options.debounce, clock, push);
  stop.push('debounce', () => debouncer.close());

  const follower = new Follower({
    galley,
    bus,
    clock,
    random,
    logger,
    onUpdate(update) {
      mesh = applyUpdate(mesh, update);
      changedAtMs ??= clock.monotonicMs();
      registration.update(mesh);
      if (isReady) {
        debouncer.trigger();
        return;
      }
      isReady = true;
      push();
      markReady();
    },
  });
  stop.push('follower', () => follower.close());

  try {
    const ads = await serveAds({
      plaintext: options.xds,
      tls:
        options.xdsTls === null || options.identity === null
          ? null
          : { address: options.xdsTls, identity: options.identity },
      trustDomains: [options.trustDomain, ...options.meshConfig.trustDomainAliases],
      sessions,
      presence: registration,
      cache,
      clock,
      logger,
      metrics,
    });
    stop.push('ADS', () => ads.close());
    await follower.start();
    return {
      xds: ads.plaintext,
      xdsTls: ads.tls,
      ready,
      routes: statusRoutes(sessions, () => mesh),
      version: () => mesh.version,
      // Last opened, first closed: the streams end before registration, which by then no longer listens.
      close: async () => {
        registration.close();
        await stop.close();
      },
    };
  } catch (error) {
    await stop.close();
    throw error;
  }
}
