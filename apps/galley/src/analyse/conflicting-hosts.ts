import { describeKey, FAULT_CODES, formatKey, isOfType, isVisibleFrom, parseExportTo } from '@flotilla/model';
import type { MeshResourceOf } from '@flotilla/model';
import { hostsOf, isInMesh } from '../set/references.ts';
import type { Analyser } from './analyser.ts';

/**
 * Two VirtualServices route for one host in the mesh, where rules are not merged: sidecars obey the older one. Said of
 * the younger, which has no effect.
 */
export const conflictingHosts: Analyser = (resource, { set }) => {
  if (!isInMesh(resource)) return [];
  const own = formatKey(resource.key);
  return hostsOf(resource).flatMap((host, index) => {
    const rivals = set.references.meshHosts.coveredBy(host).flatMap((key) => {
      const typed = key === own ? undefined : set.getByText(key)?.typed;
      if (typed === undefined || !isOfType(typed, 'VirtualService')) return [];
      return hostsOf(typed).includes(host) && areVisibleTogether(resource, typed) && isOlder(typed, resource)
        ? [typed]
        : [];
    });
    const [oldest] = rivals.sort((a, b) => (isOlder(a, b) ? -1 : 1));
    if (oldest === undefined) return [];
    const fault = {
      severity: 'warning',
      code: FAULT_CODES.conflictingHosts,
      path: ['spec', 'hosts', index],
      subject: 'value',
      message: `${describeKey(oldest.key)} is older and routes for ${host} too, so that this one has no effect`,
      hint: 'Join the two, or give them different hosts.',
    } as const;
    return [{ fault, causes: [] }];
  });
};

type VirtualServiceResource = MeshResourceOf<'VirtualService'>;

function isOlder(a: VirtualServiceResource, b: VirtualServiceResource): boolean {
  if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs < b.createdAtMs;
  return formatKey(a.key) < formatKey(b.key);
}

/** Whether some namespace may see both. */
function areVisibleTogether(a: VirtualServiceResource, b: VirtualServiceResource): boolean {
  const visibleA = parseExportTo(a.spec.exportTo, a.key.namespace);
  const visibleB = parseExportTo(b.spec.exportTo, b.key.namespace);
  if (visibleA.everywhere) return visibleB.everywhere || visibleB.namespaces.size > 0;
  return [...visibleA.namespaces].some((namespace) => isVisibleFrom(visibleB, namespace));
}
