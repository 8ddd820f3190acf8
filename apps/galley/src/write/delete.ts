import { describeKey, FAULT_CODES, formatKey, formatOrigin, WORKLOAD_ANNOTATION } from '@flotilla/model';
import type { FaultCode, Finding, Labels, Origin, Resource, ResourceKey } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import type { Checker, CheckRight } from '../check/checking.ts';
import { FindingList, withMore } from '../decode/finding-list.ts';
import type { TextDocument } from '../decode/decode-documents.ts';
import type { MeshEntry, SetChange } from '../set/mesh-set.ts';
import { assertWanted, hasErrors, RefusedError } from './apply.ts';
import type { Applied } from './apply.ts';
import type { Report } from './report.ts';
import type { ConfigWriter } from './config-writer.ts';
import { judge } from './judge.ts';
import { assertRegisteredKeys, isRegistration, type WriteScope } from './scope.ts';

/** Missing resources that a refusal names. */
const NAMED = 20;

export interface DeleteOptions {
  readonly keys: readonly ResourceKey[];
  /** Only their keys are read. */
  readonly documents: readonly TextDocument[];
  readonly defaultNamespace: string;
  readonly ignoreMissing: boolean;
  /** Accept errors between the resources that stay, and remove what belongs to a connected proxy. */
  readonly force: boolean;
  /** Only what carries these is removed, and the rest left alone; `''` stands for an annotation that is not there. */
  readonly ifAnnotations: Labels;
  /** What the caller may remove. */
  readonly scope: WriteScope;
  /** The caller is a part of the control plane: what it registered, it may remove. */
  readonly isOwnPart: boolean;
  /** Where a watched directory has the resource; `null` when none has. */
  readonly watchedAt: (key: ResourceKey) => Origin | null;
  readonly checker: Pick<Checker, 'keys'>;
  readonly right: CheckRight;
  /** Fires when the caller gives up: what is not removed by then stays. */
  readonly signal?: AbortSignal;
}

/**
 * Removes resources as one version, or throws `RefusedError` when that would leave an error behind, or take away what
 * pilot registered. `report` says what the removal leaves dangling, and what of it will not last.
 */
export async function deleteResources(
  writer: ConfigWriter,
  options: DeleteOptions,
): Promise<Applied & { readonly report: Report }> {
  const { documents, defaultNamespace, signal } = options;
  const named = await options.checker.keys({ documents, defaultNamespace }, options.right, signal);
  if (hasErrors(named.findings)) throw new RefusedError({ findings: named.findings, ignored: [] });
  const keys = new Map([...options.keys, ...named.keys.map(({ key }) => key)].map((key) => [formatKey(key), key]));
  return writer.write((set) => {
    assertWanted(signal);
    const missing = [...keys.values()].filter((key) => set.get(key) === undefined);
    if (missing.length > 0 && !options.ignoreMissing) {
      throw new FlotillaError(
        'not-found',
        `there is no ${withMore(missing.slice(0, NAMED).map(describeKey), missing.length).join(', no ')}`,
        {
          hint: 'List what there is, or ignore what is missing.',
        },
      );
    }
    // Decided here, against the set that the commit is compared with: nobody's write can come in between.
    const entries = [...keys.values()]
      .flatMap((key) => set.get(key) ?? [])
      .filter(({ resource }) => carries(resource, options.ifAnnotations));
    if (options.scope === 'registrations') assertRegisteredKeys(keys.values(), entries);
    const changes = entries.map(({ resource }): SetChange => ({ type: 'delete', key: resource.key }));
    const { others } = judge(changes, set, { isWholeMesh: true, locators: new Map() });
    const registered = options.force || options.isOwnPart ? [] : entries.flatMap(registeredFault);
    const list = new FindingList();
    list.add(registered);
    list.add(others.map(({ finding }) => finding));
    list.add(entries.flatMap((entry) => watchedWarning(entry, options.watchedAt(entry.resource.key))));
    const findings = list.all();
    const report = { findings, ignored: [] };
    if (!options.force && hasErrors(findings)) {
      throw new RefusedError(report, registered.length > 0 ? 'the deletion meets' : 'the deletion would leave');
    }
    return {
      changes,
      result: (version) => ({
        version,
        report,
        resources: entries.map(({ resource }) => ({ key: resource.key, outcome: 'deleted' })),
      }),
    };
  });
}

function carries({ annotations }: Resource, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => (annotations[name] ?? '') === value);
}

/** An automatic entry is a fact about a connected proxy, and nobody's wish. */
function registeredFault(entry: MeshEntry): readonly Finding[] {
  if (!isRegistration(entry.resource)) return [];
  const { name, namespace } = entry.resource.key;
  const { annotations } = entry.resource;
  const proxy = `${annotations[WORKLOAD_ANNOTATION] ?? name}.${namespace}`;
  return [
    findingOn(
      entry,
      'error',
      FAULT_CODES.registered,
      `the entry belongs to the connected proxy ${proxy}`,
      'Stop the workload: the entry goes with its proxy.',
    ),
  ];
}

function watchedWarning(entry: MeshEntry, origin: Origin | null): readonly Finding[] {
  if (origin === null) return [];
  const message = `comes from ${formatOrigin(origin)}, which is watched: it comes back when that file changes`;
  return [{ ...findingOn(entry, 'warning', FAULT_CODES.watched, message, 'Remove it there.'), origin }];
}

function findingOn(
  { resource }: MeshEntry,
  severity: Finding['severity'],
  code: FaultCode,
  message: string,
  hint: string,
): Finding {
  return { severity, code, resource: resource.key, field: '', origin: resource.origin, message, hint };
}
