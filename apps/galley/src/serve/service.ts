import { Code, ConnectError } from '@connectrpc/connect';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { compareKeys, describeKey, keyFromWire, resourceToWire } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { callerOf, toConnectError } from '@flotilla/rpc';
import type { Clock } from '@flotilla/runtime';
import { FlotillaError } from '@flotilla/runtime';
import { ValidationReportSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { Document, GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { TextDocument } from '../decode/decode-documents.ts';
import { MeshSet } from '../set/mesh-set.ts';
import type { ConfigStore } from '../store/config-store.ts';
import { applyDocuments, decodeWritten, RefusedError, reportOf } from '../write/apply.ts';
import type { ConfigWriter } from '../write/config-writer.ts';
import { deleteResources } from '../write/delete.ts';
import type { DeleteOptions } from '../write/delete.ts';
import type { AccessPolicy } from './access.ts';
import { changesFrom } from './changes.ts';
import { appliedToWire, reportToWire } from './wire.ts';

export interface GalleyServiceOptions {
  readonly writer: ConfigWriter;
  readonly store: ConfigStore;
  readonly access: AccessPolicy;
  /** Where a watched directory has a resource; `null` when none has. */
  readonly watchedAt: DeleteOptions['watchedAt'];
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEFAULT_NAMESPACE = 'default';

/** The handlers of `flotilla.galley.v1.GalleyService`. */
export function createGalleyService(options: GalleyServiceOptions): ServiceImpl<typeof GalleyService> {
  const { writer, store, access, watchedAt, clock, logger } = options;
  return {
    apply: (request, context) =>
      answer(async () => {
        const scope = access.write(callerOf(context));
        const applied = await applyDocuments(writer, clock, {
          documents: documentsOf(request.documents),
          defaultNamespace: request.defaultNamespace || DEFAULT_NAMESPACE,
          force: request.force,
          expectedVersion: request.expectedVersion === 0n ? null : Number(request.expectedVersion),
          scope,
        });
        const { version, resources, report } = applied;
        return { version: BigInt(version), resources: appliedToWire(resources), report: reportToWire(report) };
      }),

    delete: (request, context) =>
      answer(async () => {
        const caller = callerOf(context);
        const scope = access.write(caller);
        const { version, resources, report } = await deleteResources(writer, {
          keys: request.keys.map(keyFromWire),
          documents: documentsOf(request.documents),
          defaultNamespace: request.defaultNamespace || DEFAULT_NAMESPACE,
          ignoreMissing: request.ignoreMissing,
          force: request.force,
          ifAnnotations: request.ifAnnotations,
          scope,
          isOwnPart: caller.inProcess || scope === 'registrations',
          watchedAt,
        });
        for (const { resource, message } of report.findings) {
          logger.warn(`after a deletion: ${message}`, {
            resource: resource === null ? '' : describeKey(resource),
          });
        }
        return { version: BigInt(version), resources: appliedToWire(resources), report: reportToWire(report) };
      }),

    get: (request, context) =>
      answer(() => {
        access.read(callerOf(context));
        const key = keyFromWire(request.key);
        const entry = writer.set.get(key);
        if (entry === undefined) throw new FlotillaError('not-found', `there is no ${describeKey(key)}`);
        return { resource: resourceToWire(entry.resource), version: BigInt(writer.version) };
      }),

    list: (request, context) =>
      answer(() => {
        access.read(callerOf(context));
        const resources = [...writer.set.entries()]
          .map((entry) => entry.resource)
          .filter(({ key }) => request.kind === '' || key.kind === request.kind)
          .filter(({ key }) => request.namespace === '' || key.namespace === request.namespace)
          .sort((a, b) => compareKeys(a.key, b.key));
        return { resources: resources.map(resourceToWire), version: BigInt(writer.version) };
      }),

    validate: (request, context) =>
      answer(() => {
        if (!request.standalone) access.read(callerOf(context));
        const namespace = request.defaultNamespace || DEFAULT_NAMESPACE;
        const decoded = decodeWritten(documentsOf(request.documents), namespace);
        const set = request.standalone ? new MeshSet() : writer.set;
        return { report: reportToWire(reportOf(decoded, set, !request.standalone)) };
      }),

    listChanges: (request, context) =>
      answer(() => {
        access.read(callerOf(context));
        return changesFrom(store, Number(request.sinceVersion));
      }),

    watch: async function* (request, context) {
      await answer(() => access.read(callerOf(context)));
      yield* watch(writer, store, Number(request.sinceVersion), context);
    },
  };
}

async function* watch(
  writer: ConfigWriter,
  store: ConfigStore,
  sinceVersion: number,
  context: HandlerContext,
): AsyncGenerator<Awaited<ReturnType<typeof changesFrom>>> {
  let since = sinceVersion;
  while (!context.signal.aborted) {
    const changes = await answer(() => changesFrom(store, since));
    yield changes;
    since = Number(changes.version);
    await answer(() => writer.waitBeyond(since, context.signal));
  }
}

/** Runs a handler's work and gives its failure the form of an RPC error, with the report of a refused write. */
async function answer<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw toConnectError(error);
    const details = [{ desc: ValidationReportSchema, value: reportToWire(error.report) }];
    throw new ConnectError(error.message, Code.InvalidArgument, undefined, details, error);
  }
}

function documentsOf(documents: readonly Document[]): readonly TextDocument[] {
  return documents.map(({ source, yaml }) => ({ source: source === '' ? 'api' : source, yaml }));
}
