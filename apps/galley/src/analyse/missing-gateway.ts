import { FAULT_CODES, gatewaysOf, quote } from '@flotilla/model';
import { defineAnalyser } from './analyser.ts';
import { BOUND_GATEWAYS } from './readings.ts';

/** A VirtualService names a Gateway that does not exist: its rules have no effect there. */
export const missingGateway = defineAnalyser({
  kind: 'VirtualService',
  reads: { gateways: BOUND_GATEWAYS },
  needsWholeMesh: true,
  analyse: (resource, { gateways }) =>
    gatewaysOf(resource).flatMap(({ id, path }) => {
      if (gateways.get(id) !== undefined) return [];
      const fault = {
        severity: 'warning',
        code: FAULT_CODES.missingReference,
        path,
        subject: 'value',
        message: `there is no Gateway ${quote(id)}`,
        hint: 'Until there is one, these routes have no effect at it.',
      } as const;
      return [{ fault, causes: [] }];
    }),
});
