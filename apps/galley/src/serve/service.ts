import { Code, ConnectError } from '@connectrpc/connect';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { compareKeys, describeKey, keyFromWire, resourceToWire } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { type Caller, callerOf, toConnectError } from '@flotilla/rpc';
import type { Clock } from '@flotilla/runtime';
import { FlotillaError } from '@flotilla/runtime';
import { ValidationReportSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { Document, GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { Checker, CheckRight } from '../check/checking.ts';
import type { TextDocument } from '../decode/decode-documents.ts';
import type { ConfigStore } from '../store/config-store.ts';
import { applyDocuments, RefusedError, reportOf } from '../write/apply.ts';
import type { ConfigWriter } from '../write/config-writer.ts';
import { deleteResources } from '../write/delete.ts';
import type { DeleteOptions } from '../write/delete.ts';
import type { WriteScope } from '../write/scope.ts';
import type { AccessPolicy } from './access.ts';
import { changesFrom } from './changes.ts';
import type { Changes, Since } from './changes.ts';
import { appliedToWire, reportToWire } from './wire.ts';

export interface GalleyServiceOptions {
  readonly writer: ConfigWriter;
  readonly store: ConfigStore;
  readonly access: AccessPolicy;
  /** Where a watched directory has a resource; `null` when none has. */
  readonly watchedAt: DeleteOptions['watchedAt'];
  readonly checker: Checker;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEFAULT_NAMESPACE = 'default';

/** The handlers of `flotilla.galley.v1.GalleyService`. */
export function createGalleyService(options: GalleyServiceOptions): ServiceImpl<typeof GalleyService> {
  const { writer, store, access, watchedAt, checker, clock, logger } = options;
  return {
    apply: (request, context) =>
      answer(async () => {
        const caller = callerOf(context);
        const scope = access.write(caller);
        const applied = await applyDocuments(writer, clock, {
          documents: documentsOf(request.documents),
          defaultNamespace: request.defaultNamespace || DEFAULT_NAMESPACE,
          force: request.force,
          expectedVersion: request.expectedVersion === 0n ? null : Number(request.expectedVersion),
          scope,
          checker,
          right: writersRight(caller, scope),
          signal: context.signal,
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
          checker,
          right: writersRight(caller, scope),
          signal: context.signal,
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
      answer(async () => {
        const caller = callerOf(context);
        const documents = {
          documents: documentsOf(request.documents),
          defaultNamespace: request.defaultNamespace || DEFAULT_NAMESPACE,
        };
        if (request.standalone) {
          const right = caller.inProcess ? 'own' : mayWrite(access, caller) ? 'writer' : 'stranger';
          return { report: reportToWire(await checker.validate(documents, right, context.signal)) };
        }
        access.read(caller);
        const decoded = await checker.decode(documents, caller.inProcess ? 'own' : 'writer', context.signal);
        return { report: reportToWire(reportOf(decoded, writer.set, true)) };
      }),

    listChanges: (request, context) =>
      answer(() => {
        access.read(callerOf(context));
        return changesFrom(store, writer, sinceOf(request));
      }),

    watch: async function* (request, context) {
      await answer(() => access.read(callerOf(context)));
      yield* watch(writer, store, sinceOf(request), context);
    },
  };
}

/** A part of the control plane writes its own documents: those of a process, and a pilot's registrations. */
function writersRight({ inProcess }: Caller, scope: WriteScope): CheckRight {
  return inProcess || scope === 'registrations' ? 'own' : 'writer';
}

function mayWrite(access: AccessPolicy, caller: Caller): boolean {
  try {
    access.write(caller);
    return true;
  } catch {
    // Whoever may not write is told nothing of it here: it may still ask.
    return false;
  }
}

async function* watch(
  writer: ConfigWriter,
  store: ConfigStore,
  from: Since,
  context: HandlerContext,
): AsyncGenerator<Changes> {
  let since = from;
  while (!context.signal.aborted) {
    const changes = await answer(() => changesFrom(store, writer, since));
    yield changes;
    const reached = { epoch: changes.epoch, version: Number(changes.version) };
    since = reached;
    await answer(() => writer.waitBeyond(reached, context.signal));
  }
}

function sinceOf(request: { readonly sinceEpoch: string; readonly sinceVersion: bigint }): Since {
  return { epoch: request.sinceEpoch, version: Number(request.sinceVersion) };
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
