import { describeKey, FAULT_CODES, hostsOf, isInMesh } from '@flotilla/model';
import type { Analyser } from './analyser.ts';

/**
 * Two VirtualServices route for one host in the mesh, where rules are not merged: sidecars obey the older one. Said of
 * the younger, which has no effect.
 */
export const conflictingHosts: Analyser = (resource, { set }) => {
  if (!isInMesh(resource)) return [];
  return hostsOf(resource).flatMap((host, index) => {
    const oldest = set.references.rivals.olderFor(host, resource);
    if (oldest === null) return [];
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
