import { describeKey, FAULT_CODES, hostsOf, isInMesh } from '@flotilla/model';
import { defineAnalyser } from './analyser.ts';
import { MESH_RIVALS } from './readings.ts';

/**
 * Two VirtualServices route for one host in the mesh, where rules are not merged: sidecars obey the older one. Said of
 * the younger, which has no effect.
 */
export const conflictingHosts = defineAnalyser({
  kind: 'VirtualService',
  reads: { rivals: MESH_RIVALS },
  needsWholeMesh: false,
  analyse(resource, { rivals }) {
    if (!isInMesh(resource)) return [];
    return hostsOf(resource).flatMap((host, index) => {
      const oldest = rivals.olderFor(host, resource);
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
  },
});
