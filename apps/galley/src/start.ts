import type { ConnectRouter, Transport } from '@connectrpc/connect';
import type { VersionBus } from '@flotilla/bus';
import type { Finding } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { StopStack } from '@flotilla/runtime';
import type { Clock } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { analyseAll, identityOf } from './analyse/analyse.ts';
import type { AccessPolicy } from './serve/access.ts';
import { createGalleyService } from './serve/service.ts';
import { openDirectorySource } from './sources/directory/directory-source.ts';
import type { DirectorySource } from './sources/directory/directory-source.ts';
import { openSqliteStore } from './store/sqlite.ts';
import { ConfigWriter } from './write/config-writer.ts';

export interface GalleyOptions {
  readonly store: { readonly kind: 'sqlite'; readonly path: string };
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
 * Starts galley: opens the store, takes in the directories, and is ready to serve. Throws `system` or `invalid` when
 * the store or a directory cannot be used. Faults inside files do not stop it; `findings` tells them.
 */
export async function startGalley(options: GalleyOptions): Promise<Galley> {
  const { bus, logger, clock } = options;
  const stop = new StopStack();
  try {
    const store = openSqliteStore({
      path: options.store.path,
      ...(options.changeLogLimit === undefined ? {} : { changeLogLimit: options.changeLogLimit }),
    });
    stop.push('store', () => store.close());
    const writer = await ConfigWriter.open({ store, bus, logger });
    stop.push('writer', () => writer.close());
    // Other processes on the same store announce what they commit.
    stop.push(
      'bus subscription',
      await bus.subscribe(({ version }) => {
        if (version > writer.version) writer.refresh().catch((error: unknown) => logRefresh(logger, error));
      }),
    );
    const sources: DirectorySource[] = [];
    for (const directory of options.directories) {
      const source = await openDirectorySource({ directory, defaultNamespace: 'default', writer, clock, logger });
      stop.push(`directory ${directory}`, () => source.close());
      sources.push(source);
    }
    const service = createGalleyService({
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

function allFindings(writer: ConfigWriter, sources: readonly DirectorySource[]): readonly Finding[] {
  const fromFiles = sources.flatMap((source) => source.findings());
  const known = new Set(fromFiles.map(identityOf));
  const cross = analyseAll({ set: writer.set, isWholeMesh: true }).map(({ finding }) => finding);
  return [...fromFiles, ...cross.filter((finding) => !known.has(identityOf(finding)))];
}

function logRefresh(logger: Logger, error: unknown): void {
  logger.warn('galley cannot catch up with its store', { error: String(error) });
}
