import type { ConnectRouter, Transport } from '@connectrpc/connect';
import type { VersionBus } from '@flotilla/bus';
import type { Finding } from '@flotilla/model';
import type { Logger, Telemetry } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { FlotillaError, StopStack } from '@flotilla/runtime';
import type { Clock } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { analyseAll, identityOf } from './analyse/analyse.ts';
import { openChecker } from './check/checker.ts';
import type { Checker } from './check/checking.ts';
import { FindingList } from './decode/finding-list.ts';
import type { AccessPolicy } from './serve/access.ts';
import { galleyMetrics, noMetrics } from './metrics.ts';
import { createGalleyService } from './serve/service.ts';
import { attachSource } from './sources/attached-source.ts';
import type { AttachedSource } from './sources/attached-source.ts';
import { directorySource } from './sources/directory/directory-source.ts';
import type { ConfigSource } from './sources/source.ts';
import { openStore } from './store/open-store.ts';
import type { StoreOptions } from './store/open-store.ts';
import { ConfigWriter } from './write/config-writer.ts';
import { followStore } from './write/follow-store.ts';

export interface GalleyOptions {
  readonly store: StoreOptions;
  /** Not closed by galley. */
  readonly bus: VersionBus;
  /** Directories of YAML files to read and watch. */
  readonly directories: readonly string[];
  /** Decides about every caller. */
  readonly access: AccessPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How many changes the store keeps for replicas that catch up. */
  readonly changeLogLimit?: number;
  readonly telemetry?: Telemetry;
  /** Ends waiting for a store that is away. */
  readonly signal?: AbortSignal;
}

export interface Galley {
  /** Registers `flotilla.galley.v1.GalleyService` on a server. */
  routes(router: ConnectRouter): void;
  /** The same service for parts in this process. */
  readonly transport: Transport;
  /** The current version of the set. */
  version(): number;
  /** What is wrong now: with files of the directories, and between the resources of the set. */
  findings(): readonly Finding[];
  /** Documents of the directories that mean nothing to a mesh, by name. */
  ignored(): readonly string[];
  /** Reads the directories now, without waiting to hear of a change. */
  rescan(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts galley: opens the store, takes in the directories, and is ready to serve. Waits for a store that is away.
 * Throws `system` or `invalid` when the store or a directory cannot be used, and `unavailable` when it shall wait no
 * longer. Faults inside files do not stop it; `findings` tells them.
 */
export async function startGalley(options: GalleyOptions): Promise<Galley> {
  for (;;) {
    if (options.store.kind === 'redis') await options.store.connection.waitUntilReady(options.signal);
    try {
      return await startOnce(options);
    } catch (error) {
      // It went away again meanwhile.
      if (options.store.kind !== 'redis' || FlotillaError.from(error).code !== 'unavailable') throw error;
      options.logger.warn('galley starts again', { error: FlotillaError.from(error) });
    }
  }
}

async function startOnce(options: GalleyOptions): Promise<Galley> {
  const { bus, logger, clock } = options;
  const stop = new StopStack();
  try {
    const store = await openStore(options.store, {
      ...(options.changeLogLimit === undefined ? {} : { changeLogLimit: options.changeLogLimit }),
      logger,
    });
    stop.push('store', () => store.close());
    let metrics = noMetrics;
    const onCommit = (changes: number): void => metrics.committed(changes);
    const writer = await ConfigWriter.open({ store, bus, logger, onCommit });
    stop.push('writer', () => writer.close());
    stop.push('following', await followStore({ writer, bus, store: options.store, clock, logger }));
    const checker = openChecker({ clock, logger });
    stop.push('checking', () => checker.close());
    const sources: AttachedSource[] = [];
    for (const source of sourcesOf(options, checker)) {
      const attached = await attachSource(source, { writer, clock, logger });
      stop.push(`${source.kind} ${source.place}`, () => attached.close());
      sources.push(attached);
    }
    if (options.store.kind === 'redis') {
      // What a source asked for while the store was away is written now, and not at the next look at it.
      const { connection } = options.store;
      const end = connection.subscribe((isConnected) => {
        if (isConnected) for (const source of sources) void source.rescan();
      });
      stop.push('retry of sources', end);
    }
    if (options.telemetry !== undefined) {
      metrics = galleyMetrics(options.telemetry.meter, {
        version: () => writer.version,
        resources: () => writer.set.size,
        errors: () => allFindings(writer, sources).filter(({ severity }) => severity === 'error').length,
      });
    }
    const service = createGalleyService({
      checker,
      writer,
      store,
      access: options.access,
      watchedAt: (key) => sources.map((source) => source.originOf(key)).find((origin) => origin !== null) ?? null,
      clock,
      logger,
    });
    const routes = (router: ConnectRouter): void => void router.service(GalleyService, service);
    return {
      routes,
      transport: createInMemoryTransport(routes),
      version: () => writer.version,
      findings: () => allFindings(writer, sources),
      ignored: () => sources.flatMap((source) => source.ignored()),
      rescan: async () => void (await Promise.all(sources.map((source) => source.rescan()))),
      close: () => stop.close(),
    };
  } catch (error) {
    await stop.close();
    throw error;
  }
}

/** All that configuration comes from beside the API, in the order in which it is taken in. */
function sourcesOf({ directories, clock, logger }: GalleyOptions, checker: Checker): readonly ConfigSource[] {
  return directories.map((directory) =>
    directorySource({ directory, defaultNamespace: 'default', checker, clock, logger }),
  );
}

function allFindings(writer: ConfigWriter, sources: readonly AttachedSource[]): readonly Finding[] {
  const fromFiles = sources.flatMap((source) => source.findings());
  const known = new Set(fromFiles.map(identityOf));
  const cross = analyseAll({ set: writer.set, isWholeMesh: true }).map(({ finding }) => finding);
  const findings = new FindingList();
  findings.add(fromFiles);
  findings.add(cross.filter((finding) => !known.has(identityOf(finding))));
  return findings.all();
}
