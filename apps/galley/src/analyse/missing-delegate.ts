import { delegatesOf, FAULT_CODES, KINDS, quote } from '@flotilla/model';
import type { Analyser } from './analyser.ts';

/** A route delegates to a VirtualService that does not exist, or that has hosts and so stands for itself. */
export const missingDelegate: Analyser = (resource, { set, isWholeMesh }) => {
  if (!isWholeMesh) return [];
  return delegatesOf(resource).flatMap(({ id, path }) => {
    const [namespace = '', name = ''] = id.split('/');
    const key = { group: KINDS.VirtualService.group, kind: 'VirtualService', namespace, name } as const;
    const found = set.get(key);
    const hosts = found?.typed.type === 'VirtualService' ? found.typed.spec.hosts.length : 0;
    if (found !== undefined && hosts === 0) return [];
    const fault = {
      severity: 'warning',
      code: FAULT_CODES.missingReference,
      path,
      subject: 'value',
      message:
        found === undefined ? `there is no VirtualService ${quote(id)}` : `the VirtualService ${quote(id)} has hosts`,
      hint: 'Until there is one without hosts, this route has no effect.',
    } as const;
    return [{ fault, causes: found === undefined ? [] : [[key]] }];
  });
};
