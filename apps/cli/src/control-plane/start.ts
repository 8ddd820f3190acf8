import { startCitadel } from '@flotilla/citadel';
import { createInProcessBus, createInProcessMembership } from '@flotilla/bus';
import { startGalley } from '@flotilla/galley';
import { openLocalIdentity } from '@flotilla/identity';
import { formatFinding } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { openTelemetry } from '@flotilla/observe/telemetry';
import { DEFAULT_REGISTRATION, loadMeshConfig, watchMeshConfig, startPilot } from '@flotilla/pilot';
import { checkPlaintext } from '@flotilla/http-port';
import { serveRpc } from '@flotilla/rpc';
import { type Clock, formatAddress, type SocketAddress, StopStack } from '@flotilla/runtime';
import { compileAdminPolicy, passes, createReadiness, operationsPages } from '@flotilla/service';
import { CONTROL_PLANE_IDENTITY } from './control-plane-identity.ts';
import { openDataDirectory } from './data-directory.ts';

// One machine, a handful of proxies: waiting long for more changes would only delay what the user looks at.
const EMBEDDED_DEBOUNCE = { quietMs: 5, maxMs: 100 } as const;

const ADMIN_HINT =
  'The command line finds the token by itself when it runs as the user who started the mesh; otherwise pass --token.';

export interface ControlPlaneOptions {
  /** Directories of Istio and Kubernetes YAML, watched. */
  readonly directories: readonly string[];
  readonly meshConfigFile: string | null;
  readonly trustDomain: string;
  /** Keeps the store, the root key and the token key. */
  readonly dataDirectory: string;
  /** What of it was lost on purpose, as the refusal of a start names it. */
  readonly beginAnew: readonly string[];
  readonly addresses: {
    readonly xds: SocketAddress;
    readonly xdsTls: SocketAddress;
    readonly ca: SocketAddress;
    readonly api: SocketAddress;
  };
  /** Longest lifetime that a workload may ask for, in milliseconds. */
  readonly maxCertificateTtlMs: number;
  /** Lets its bearer read and change everything. */
  readonly adminToken: string;
  /** Names of the API's port for browsers, beside those that are known by themselves. */
  readonly httpHosts: readonly string[];
  /** The API and xDS without TLS may be off loopback. */
  readonly allowPlaintext: boolean;
  /** OTLP/HTTP base URL for spans; null for none. */
  readonly otlpEndpoint: string | null;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface ControlPlane {
  readonly xds: string;
  readonly xdsTls: string;
  /** `https://…`: the certificate authority. */
  readonly ca: string;
  /** `http://…`: galley, citadel and pilot for tools. */
  readonly api: string;
  readonly rootsPem: string;
  /** Errors in the configuration directories at the start, one text each; what they are about is not in force. */
  readonly faults: readonly string[];
  close(): Promise<void>;
}

/** Starts galley, citadel and pilot in this process. Throws `system` when a port or the directory cannot be had. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { logger, clock, addresses, trustDomain } = options;
  for (const [what, address] of [
    ['the API', addresses.api],
    ['xDS', addresses.xds],
  ] as const) {
    checkPlaintext({ what, address, isAllowed: options.allowPlaintext, logger });
  }
  const stop = new StopStack();
  try {
    const data = openDataDirectory(options.dataDirectory, options.beginAnew);
    const meshConfig = await loadMeshConfig(options.meshConfigFile);
    const assertAdmin = compileAdminPolicy({ adminToken: options.adminToken, admins: [], hint: ADMIN_HINT });
    const telemetry = await openTelemetry({
      service: 'flotilla-control-plane',
      version: '0.1.0',
      otlpEndpoint: options.otlpEndpoint,
    });
    stop.push('telemetry', () => telemetry.close());
    const bus = createInProcessBus();
    stop.push('bus', () => bus.close());
    const citadel = await startCitadel({
      keys: { directory: data.citadel, inventory: data.inventory },
      trustDomain,
      defaultTtlMs: options.maxCertificateTtlMs,
      maxTtlMs: options.maxCertificateTtlMs,
      authoriseAdmin: assertAdmin,
      telemetry,
      logger: logger.child({ service: 'citadel' }),
      clock,
    });
    stop.push('citadel', () => citadel.close());
    const identity = await openLocalIdentity((ttlMs) =>
      citadel.issueFor({ trustDomain, ...CONTROL_PLANE_IDENTITY }, ttlMs),
    );
    stop.push('identity', () => identity.close());
    const galley = await startGalley({
      store: { kind: 'sqlite', path: data.store, inventory: data.inventory },
      bus,
      directories: options.directories,
      access: {
        // Whoever has an account on this machine reaches the port: it takes more to see the mesh.
        read: assertAdmin,
        write(caller) {
          // Pilot, which writes what proxies claim.
          if (caller.inProcess) return 'registrations';
          assertAdmin(caller);
          return 'anything';
        },
      },
      logger: logger.child({ service: 'galley' }),
      clock,
    });
    stop.push('galley', () => galley.close());
    const membership = createInProcessMembership();
    stop.push('membership', () => membership.close());
    const pilot = await startPilot({
      galley: galley.transport,
      bus,
      membership,
      xds: addresses.xds,
      xdsTls: addresses.xdsTls,
      identity,
      trustDomain,
      meshConfig,
      domainSuffix: 'cluster.local',
      debounce: EMBEDDED_DEBOUNCE,
      registration: DEFAULT_REGISTRATION,
      access: { read: assertAdmin },
      telemetry,
      logger: logger.child({ service: 'pilot' }),
      clock,
    });
    stop.push('pilot', () => pilot.close());
    if (options.meshConfigFile !== null) {
      const onRead = pilot.setMeshConfig.bind(pilot);
      stop.push('mesh configuration', watchMeshConfig({ file: options.meshConfigFile, onRead, clock, logger }));
    }
    const ca = await serveRpc({
      address: addresses.ca,
      tls: { identity, clientCertificates: 'optional' },
      routes: citadel.routes,
      isKnown: passes(assertAdmin),
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      logger,
    });
    stop.push('ca', () => ca.close());
    const api = await serveRpc({
      address: addresses.api,
      hosts: options.httpHosts,
      routes: (router) => {
        galley.routes(router);
        citadel.routes(router);
        pilot.routes(router);
      },
      isKnown: passes(assertAdmin),
      tracer: telemetry.tracer,
      meter: telemetry.meter,
      // The port answers only once everything runs: nothing is left to wait for.
      fallback: operationsPages(telemetry, createReadiness(logger)),
      logger,
    });
    stop.push('api', () => api.close());
    await pilot.ready;
    return {
      xds: addressText(pilot.xds),
      xdsTls: addressText(pilot.xdsTls),
      ca: ca.url,
      api: api.url,
      rootsPem: citadel.rootsPem,
      faults: galley
        .findings()
        .filter(({ severity }) => severity === 'error')
        .map((finding) => formatFinding(finding)),
      close: () => stop.close(),
    };
  } catch (error) {
    await stop.close();
    throw error;
  }
}

function addressText(address: SocketAddress | null): string {
  return address === null ? '' : formatAddress(address);
}
