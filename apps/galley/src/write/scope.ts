import { AUTOMATIC_ANNOTATION, describeKey, formatOrigin, isObject } from '@flotilla/model';
import type { Resource, ResourceKey } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import type { Candidate } from '../decode/candidate.ts';
import type { MeshEntry, MeshSet } from '../set/mesh-set.ts';

/** What a caller may write: anything, or only the WorkloadEntries that stand for connected proxies, as a pilot does. */
export type WriteScope = 'anything' | 'registrations';

/** Whether a resource is the entry that a pilot wrote for a connected proxy: a fact, and nobody's wish. */
export function isRegistration({ key, annotations }: Pick<Resource, 'key' | 'annotations'>): boolean {
  return isWorkloadEntry(key) && annotations[AUTOMATIC_ANNOTATION] !== undefined;
}

/**
 * Throws `forbidden` unless all that is to be written are registrations, and overwrites nothing else, nor one of another
 * identity. Names the first that is not.
 */
export function assertRegistrations(candidates: readonly Candidate[], set: MeshSet): void {
  for (const { content } of candidates) {
    const at = `${describeKey(content.key)} (${formatOrigin(content.origin)})`;
    if (!isRegistration(content)) throw notAllowed(`${at} is not one`);
    const existing = set.get(content.key)?.resource;
    if (existing === undefined) continue;
    if (!isRegistration(existing)) {
      throw notAllowed(`${at} would replace one that somebody wrote (${formatOrigin(existing.origin)})`);
    }
    const [owner, other] = [ownerOf(content), ownerOf(existing)];
    if (owner !== other) throw notAllowed(`${at} is of service account ${owner} and would replace one of ${other}`);
  }
}

/** The service account whose proxy an entry stands for: with its namespace, the identity that owns it. */
function ownerOf({ body }: Pick<Resource, 'body'>): string {
  const { spec } = body;
  return isObject(spec) && typeof spec['serviceAccount'] === 'string' ? spec['serviceAccount'] : '';
}

/** The same for what is to be removed: `keys` as they were named, `entries` those of them that would go. */
export function assertRegisteredKeys(keys: Iterable<ResourceKey>, entries: readonly MeshEntry[]): void {
  for (const key of keys) if (!isWorkloadEntry(key)) throw notAllowed(`${describeKey(key)} is not one`);
  for (const { resource } of entries) {
    if (!isRegistration(resource)) throw notAllowed(`${describeKey(resource.key)} is not one`);
  }
}

function isWorkloadEntry({ group, kind }: ResourceKey): boolean {
  return kind === 'WorkloadEntry' && group === 'networking.istio.io';
}

function notAllowed(what: string): FlotillaError {
  return new FlotillaError(
    'forbidden',
    `this caller may write nothing but automatic WorkloadEntries, and ${what}; nothing was changed`,
    { hint: `They carry the annotation ${AUTOMATIC_ANNOTATION}. Anything else needs the rights of an administrator.` },
  );
}
