import { delegatesOf, FAULT_CODES, quote } from '@flotilla/model';
import { defineAnalyser } from './analyser.ts';
import { DELEGATES } from './readings.ts';

/** A route delegates to a VirtualService that does not exist, or that has hosts and so stands for itself. */
export const missingDelegate = defineAnalyser({
  kind: 'VirtualService',
  reads: { virtualServices: DELEGATES },
  needsWholeMesh: true,
  analyse: (resource, { virtualServices }) =>
    delegatesOf(resource).flatMap(({ id, path }) => {
      const found = virtualServices.get(id);
      if (found?.spec.hosts.length === 0) return [];
      const fault = {
        severity: 'warning',
        code: FAULT_CODES.missingReference,
        path,
        subject: 'value',
        message:
          found === undefined ? `there is no VirtualService ${quote(id)}` : `the VirtualService ${quote(id)} has hosts`,
        hint: 'Until there is one without hosts, this route has no effect.',
      } as const;
      return [{ fault, causes: found === undefined ? [] : [[found.key]] }];
    }),
});
