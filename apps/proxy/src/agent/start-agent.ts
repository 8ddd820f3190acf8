import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJson } from '@bufbuild/protobuf';
import { checkPlaintext } from '@flotilla/http-port';
import { openCitadelIdentity } from '@flotilla/identity';
import { FlotillaError, type SocketAddress, StopStack } from '@flotilla/runtime';
import type { IdentitySource } from '@flotilla/spiffe';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { AgentOptions } from './agent-options.ts';
import { buildBootstrap } from './bootstrap.ts';
import { buildNode } from './node.ts';

export type { AgentOptions, AgentPort } from './agent-options.ts';

/** A proxy with its identity, running. */
export interface Agent {
  readonly admin: SocketAddress;
  /** Resolves when the proxy serves; rejects when it never will. */
  readonly ready: Promise<void>;
  isReady(): boolean;
  /** Resolves when somebody asked for the end on the administration port: `/quitquitquit`. */
  readonly quit: Promise<void>;
  /** The identity in use; its key never leaves this process, but for the socket of a stock Envoy. */
  readonly identity: IdentitySource;
  /**
   * Tells pilot, keeps ports open for `noticeMs` (default: 1 s for a sidecar, 5 s for a router) where anybody is
   * connected, lets requests in flight finish for up to `drainMs` (default 5 s), then stops.
   */
  stop(options?: { readonly drainMs?: number; readonly noticeMs?: number | null }): Promise<void>;
  /** Stops at once. */
  close(): Promise<void>;
}

const STOP_DRAIN_MS = 5_000;
/** A change of endpoints is everywhere long before; a router's clients are told by probes, which take longer. */
const NOTICE_MS = { sidecar: 1_000, router: 5_000 };

/**
 * Gets the workload's identity from citadel, then runs its proxy: the own data plane in this process, or stock Envoy
 * beside it. Throws `invalid` for options that do not go together. Waits for citadel when it is away; throws `unauthenticated` or `forbidden` when it refuses, `system` when
 * there is no such Envoy or the administration port is taken.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const stop = new StopStack();
  try {
    if (options.envoy === undefined && (options.concurrency ?? 1) > 1) {
      throw new FlotillaError('invalid', 'the proxy of an agent is one process: concurrency cannot be more than 1', {
        hint: 'Each process would register the workload by a stream of its own. Stock Envoy (--envoy) takes more.',
      });
    }
    if (options.localUsers.length > 0 && (options.envoy !== undefined || options.interceptionMode === 'REDIRECT')) {
      throw new FlotillaError('invalid', 'only the own data plane, without interception, can tell local users apart', {
        hint: 'Leave --local-user out; see "On the machine itself" in docs/security.md.',
      });
    }
    const { namespace, serviceAccount, trustDomain, clock, random, logger } = options;
    const identity = await openCitadelIdentity({
      ca: {
        url: options.ca.url,
        ...(options.ca.rootPem === undefined ? {} : { rootPem: options.ca.rootPem }),
        ...(options.ca.spiffeId === undefined ? {} : { serverSpiffeId: options.ca.spiffeId }),
      },
      token: options.token,
      id: { trustDomain, namespace, serviceAccount },
      ttlMs: options.certificateTtlMs,
      clock,
      random,
      logger,
      ...(options.onIdentityLost === undefined ? {} : { onLost: options.onIdentityLost }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    stop.push('identity', () => identity.close());
    const start = options.envoy === undefined ? startOwnProxy : startStockEnvoy;
    return await start(options, identity, stop);
  } catch (error) {
    await stop.close();
    throw error;
  }
}

async function startOwnProxy(options: AgentOptions, identity: IdentitySource, stop: StopStack): Promise<Agent> {
  const [{ startProxy }, { supportedHttpFilters }] = await Promise.all([
    import('../stack.ts'),
    import('../http/filters/registry.ts'),
  ]);
  const { clock, random, logger, logBounds } = options;
  warnOfLoops(options);
  const bootstrap = buildBootstrap(options, buildNode(options, supportedHttpFilters), null);
  const { promise: quit, resolve: onQuit } = Promise.withResolvers<void>();
  const proxy = await startProxy({
    bootstrap,
    identity,
    ...(options.localUsers.length === 0 ? {} : { localUsers: options.localUsers }),
    logger,
    clock,
    random,
    onQuit,
    httpHosts: options.httpHosts ?? [],
    allowPlaintext: options.allowPlaintext === true,
    ...(logBounds === undefined ? {} : { logBounds }),
  });
  stop.push('proxy', () => proxy.close());
  if (proxy.admin === null) throw new FlotillaError('internal', 'the proxy has no administration address');
  return {
    admin: proxy.admin,
    ready: proxy.ready,
    isReady: () => proxy.isReady(),
    quit,
    identity,
    async stop({ drainMs = STOP_DRAIN_MS, noticeMs } = {}) {
      await proxy.stop({ drainMs, noticeMs: noticeMs ?? NOTICE_MS[options.kind] });
      await stop.close();
    },
    close: () => stop.close(),
  };
}

/** Whom capture leaves alone unless it is told otherwise. */
const PROXY_ID = 1337;

/** A proxy whose own connections are captured calls itself for ever. */
function warnOfLoops({ interceptionMode, logger }: AgentOptions): void {
  if (interceptionMode === 'NONE' || process.getuid === undefined || process.getgid === undefined) return;
  const [user, group] = [process.getuid(), process.getgid()];
  if (user === PROXY_ID || group === PROXY_ID) return;
  logger.warn('the proxy is not of the user or group that capture leaves alone by default; its connections may loop', {
    user,
    group,
    hint: `Run it as user ${PROXY_ID}, or give capture its ids: --proxy-uid ${user} --proxy-gid ${group}.`,
  });
}

async function startStockEnvoy(options: AgentOptions, identity: IdentitySource, stop: StopStack): Promise<Agent> {
  const [{ serveSds }, { serveEnvoyAdmin, untilReady }, { startEnvoyProcess }, { loadAllTypes }] = await Promise.all([
    import('./sds-server.ts'),
    import('./envoy-admin.ts'),
    import('./envoy-process.ts'),
    import('../bootstrap/extension-types.ts'),
  ]);
  const { clock, random, logger } = options;
  warnOfLoops(options);
  checkPlaintext({
    what: 'administration',
    address: options.admin,
    isAllowed: options.allowPlaintext === true,
    logger,
  });
  // mkdtemp makes it 0700: the sockets in it give away the key, and command Envoy.
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-envoy-'));
  stop.push('directory', () => rm(directory, { recursive: true, force: true }));
  const sds = await serveSds({ path: join(directory, 'sds.sock'), identity, clock, logger });
  stop.push('SDS', () => sds.close());
  const adminPath = join(directory, 'admin.sock');
  const bootstrap = buildBootstrap(options, buildNode(options, []), { sdsPath: sds.path, adminPath });
  const file = join(directory, 'envoy.json');
  const json = toJson(BootstrapSchema, bootstrap, { registry: await loadAllTypes(), useProtoFieldName: true });
  await writeFile(file, JSON.stringify(json), { mode: 0o600 });
  const envoy = await startEnvoyProcess({
    program: options.envoy ?? '',
    directory,
    adminPath,
    args: [
      ...['--config-path', file, '--disable-hot-restart', '--drain-time-s', '45', '--drain-strategy', 'immediate'],
      // Its access log would lag by 10 s.
      ...['--file-flush-interval-msec', '1000'],
      ...['--concurrency', String(options.concurrency ?? 1), '--log-level', logger.isDebug() ? 'info' : 'warning'],
    ],
    clock,
    random,
    logger,
  });
  stop.push('Envoy', () => envoy.close());
  const hosts = options.httpHosts ?? [];
  const admin = await serveEnvoyAdmin({ socketPath: adminPath, address: options.admin, hosts, logger });
  stop.push('admin', () => admin.close());
  let isReady = false;
  const polling = new AbortController();
  stop.push('readiness', () => polling.abort());
  const ready = untilReady(adminPath, clock, polling.signal).then(() => {
    isReady = true;
  });
  ready.catch(() => undefined);
  return {
    admin: admin.address,
    ready,
    isReady: () => isReady,
    quit: envoy.quit,
    identity,
    stop: () => stop.close(),
    close: () => stop.close(),
  };
}
