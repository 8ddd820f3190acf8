import type { ConnectRouter, Transport } from '@connectrpc/connect';
import type { Membership, VersionBus } from '@flotilla/bus';
import { DEFAULT_DOMAIN_SUFFIX } from '@flotilla/model';
import type { Logger, Telemetry } from '@flotilla/observe';
import { type Clock, FlotillaError, type Random, type SocketAddress, StopStack } from '@flotilla/runtime';
import type { Caller } from '@flotilla/rpc';
import type { IdentitySource } from '@flotilla/spiffe';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { isDeepStrictEqual } from 'node:util';
import {
  applyUpdate,
  DEFAULT_CLUSTER_ID,
  DEFAULT_ROOT_NAMESPACE,
  emptyMesh,
  meshDefaults,
  type MeshSettings,
  ResourceCache,
  withSettings,
} from '@flotilla/translate';
import { createAdmission } from './binding/admission.ts';
import { Alarms } from './binding/alarms.ts';
import { Follower } from './ingest/follow.ts';
import { keepJoined } from './ingest/join.ts';
import { createPilotId } from './ingest/pilot-id.ts';
import { DEFAULT_REGISTRATION, Registration, type RegistrationSettings } from './ingest/registration.ts';
import { Isolation } from './isolate/isolation.ts';
import { noMetrics, pilotMetrics } from './metrics.ts';
import { DEFAULT_DEBOUNCE, Debouncer, type DebounceSettings } from './push/debounce.ts';
import { serveAds } from './serve/ads.ts';
import { Sessions } from './serve/sessions.ts';
import { STREAM_LIMITS, type StreamLimits } from './serve/stream-limits.ts';
import { statusRoutes } from './serve/status.ts';

export interface PilotOptions<
  Xds extends SocketAddress | null = SocketAddress | null,
  XdsTls extends SocketAddress | null = SocketAddress | null,
> {
  /** How to reach `GalleyService`: read by `ListChanges`, written for the workloads of connected proxies. */
  readonly galley: Transport;
  readonly bus: VersionBus;
  /** Unique to this process among all pilots of the mesh. Default `<host name>-<random>`. */
  readonly pilotId?: string;
  /**
   * Which pilots live; joined here, and not closed. Default: that is not known, and what other pilots registered stays
   * when they die. For a pilot that is the only one, an in-process membership.
   */
  readonly membership?: Membership | null;
  /** Plaintext ADS; for loopback. `null`: none. */
  readonly xds: Xds;
  /** mTLS ADS; needs `identity`. `null`: none. */
  readonly xdsTls: XdsTls;
  readonly identity: IdentitySource | null;
  readonly trustDomain: string;
  readonly meshConfig: MeshConfig;
  /** Suffix of Kubernetes service names. Default `cluster.local`. */
  readonly domainSuffix?: string;
  /** Default: as MeshConfig says. */
  readonly rootNamespace?: string;
  readonly debounce?: DebounceSettings;
  readonly registration?: RegistrationSettings;
  /** Who may ask what pilot knows: throws `unauthenticated` or `forbidden`. Default: whoever reaches the routes. */
  readonly access?: { read(caller: Caller): void };
  /** Bounds on what proxies ask for; default: those of docs/limits.md. */
  readonly limits?: Partial<StreamLimits>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: Random;
  readonly telemetry?: Telemetry;
}

export interface Pilot<
  Xds extends SocketAddress | null = SocketAddress | null,
  XdsTls extends SocketAddress | null = SocketAddress | null,
> {
  /** The addresses listened on, with their real ports; `null` where none was asked for. */
  readonly xds: Xds;
  readonly xdsTls: XdsTls;
  readonly id: string;
  /** Resolves when the first snapshot is in; until then proxies are connected, and wait. */
  readonly ready: Promise<void>;
  /** Adds `flotilla.pilot.v1.PilotService`. */
  readonly routes: (router: ConnectRouter) => void;
  /** Takes another MeshConfig into use: proxies are sent what it changes for them. Throws `invalid`, and then keeps the last. */
  setMeshConfig(config: MeshConfig): void;
  /** Version of the mesh configuration that was ingested last, 0 before the first. */
  version(): number;
  /** Ends all streams. What proxies registered stays. */
  close(): Promise<void>;
}

const OPEN = { read: () => undefined };

/**
 * Starts pilot, whose stages in order are:
 *
 * 1. ingest     galley's versions as they are committed (`ingest/follow`), and back to it the workloads of the proxies
 *               that are connected (`ingest/registration`)
 * 2. mesh       one immutable model per version (`mesh/mesh`), services and endpoints from the registry (`registry/`)
 * 3. push       the first change of a quiet time at once, those that follow it together (`push/debounce`), to one proxy
 *               after another in short turns (`push/queue`), only the types and names concerned (`push/affected`), make
 *               before break (`push/order`)
 * 4. translate  from what a proxy sees of the mesh (`mesh/view`), most of it together with all of its class
 *               (`mesh/scope`), to Envoy's resources (`translate/generate`), each encoded once (`translate/cache`)
 * 5. serve      streams, SotW and delta (`serve/session`), on both ports (`serve/ads`), and their status
 */
export async function startPilot<Xds extends SocketAddress | null, XdsTls extends SocketAddress | null>(
  options: PilotOptions<Xds, XdsTls>,
): Promise<Pilot<Xds, XdsTls>> {
  const { clock, logger, galley, bus, random = Math.random, pilotId = createPilotId(), membership = null } = options;
  const stop = new StopStack();
  const cache = new ResourceCache();
  const sessions = new Sessions({ clock });
  const isolation = new Isolation({ clock, logger, onChange: (kind) => sessions.refresh(kind) });
  const { promise: ready, resolve: markReady } = Promise.withResolvers<void>();

  let mesh = emptyMesh(settingsOf(options, options.meshConfig));
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
          withheld: () => isolation.list().length,
        });

  if (membership !== null) {
    const joining = keepJoined(membership, pilotId, { clock, random, logger });
    stop.push('membership', () => joining.close());
  }
  const alarms = new Alarms({ clock, logger, count: (kind) => metrics.claimed(kind) });
  const registration = new Registration({
    pilotId,
    membership,
    galley,
    settings: options.registration ?? DEFAULT_REGISTRATION,
    clock,
    random,
    logger,
    alarms,
  });
  stop.push('registration', () => registration.close());

  const push = () => {
    const startedAtMs = changedAtMs;
    changedAtMs = null;
    sessions.push(mesh, () => {
      if (startedAtMs !== null) metrics.converged(clock.monotonicMs() - startedAtMs);
    });
  };
  const debouncer = new Debouncer(options.debounce ?? DEFAULT_DEBOUNCE, clock, push);
  stop.push('debounce', () => debouncer.close());

  let readmit = (): void => undefined;
  const follower = new Follower({
    galley,
    bus,
    clock,
    random,
    logger,
    onUpdate(update) {
      const { bindings } = mesh;
      mesh = applyUpdate(mesh, update);
      changedAtMs ??= clock.monotonicMs();
      registration.update(mesh);
      if (mesh.bindings !== bindings) readmit();
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
    if (options.xdsTls !== null && options.identity === null) {
      throw new FlotillaError('invalid', 'an mTLS port for xDS needs an identity');
    }
    const ads = await serveAds({
      plaintext: options.xds,
      tls:
        options.xdsTls === null || options.identity === null
          ? null
          : { address: options.xdsTls, identity: options.identity },
      admission: createAdmission({
        trustDomains: () => [options.trustDomain, ...mesh.settings.config.trustDomainAliases],
        bindings: () => mesh.bindings,
        ready,
        isReady: () => isReady,
        alarms,
      }),
      sessions,
      presence: registration,
      cache,
      isolation,
      clock,
      logger,
      metrics,
      limits: { ...STREAM_LIMITS, ...options.limits },
    });
    readmit = () => ads.readmit();
    stop.push('ADS', () => ads.close());
    await follower.start();
    return {
      // A port is there exactly when its address was given, which the types of the options say.
      xds: ads.plaintext as Xds,
      xdsTls: ads.tls as XdsTls,
      ready,
      id: pilotId,
      routes: statusRoutes({ pilotId, sessions, isolation, mesh: () => mesh, alarms, access: options.access ?? OPEN }),
      version: () => mesh.version,
      setMeshConfig(config) {
        const settings = settingsOf(options, config);
        if (isDeepStrictEqual(settings, mesh.settings)) return;
        logger.info('the mesh configuration has changed');
        mesh = withSettings(mesh, settings);
        changedAtMs ??= clock.monotonicMs();
        readmit();
        if (isReady) debouncer.trigger();
      },
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

function settingsOf(
  { trustDomain, domainSuffix = DEFAULT_DOMAIN_SUFFIX, rootNamespace }: Omit<PilotOptions, 'xds' | 'xdsTls'>,
  config: MeshConfig,
): MeshSettings {
  return {
    config: meshDefaults(config),
    trustDomain,
    domainSuffix,
    rootNamespace: rootNamespace ?? (config.rootNamespace || DEFAULT_ROOT_NAMESPACE),
    clusterId: DEFAULT_CLUSTER_ID,
  };
}
