import { FAULT_CODES, gatewaysOf, KINDS, quote } from '@flotilla/model';
import type { Analyser } from './analyser.ts';

/** A VirtualService names a Gateway that does not exist: its rules have no effect there. */
export const missingGateway: Analyser = (resource, { set, isWholeMesh }) => {
  if (!isWholeMesh) return [];
  return gatewaysOf(resource).flatMap(({ id, path }) => {
    const [namespace = '', name = ''] = id.split('/');
    if (set.get({ group: KINDS.Gateway.group, kind: 'Gateway', namespace, name }) !== undefined) return [];
    const fault = {
      severity: 'warning',
      code: FAULT_CODES.missingReference,
      path,
      subject: 'value',
      message: `there is no Gateway ${quote(id)}`,
      hint: 'Until there is one, these routes have no effect at it.',
    } as const;
    return [{ fault, causes: [] }];
  });
};
