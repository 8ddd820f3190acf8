import { destinationsOf, FAULT_CODES, quote } from '@flotilla/model';
import { defineAnalyser } from './analyser.ts';
import { DESTINATION_SERVICES } from './readings.ts';

/** A destination's host is no service of the mesh: its requests would get a 503. */
export const unknownHost = defineAnalyser({
  kind: 'VirtualService',
  reads: { services: DESTINATION_SERVICES },
  needsWholeMesh: true,
  analyse(resource, { services }) {
    const seen = new Set<string>();
    return destinationsOf(resource).flatMap(({ host, writtenHost, path }) => {
      if (services.covers(host) || seen.has(host)) return [];
      seen.add(host);
      const shown = writtenHost === host ? quote(host) : `${quote(writtenHost)} (${host})`;
      const fault = {
        severity: 'warning',
        code: FAULT_CODES.missingReference,
        path: [...path, 'host'],
        subject: 'value',
        message: `there is no service ${shown}`,
        hint: 'Requests sent there fail until a Service or ServiceEntry has this host.',
      } as const;
      return [{ fault, causes: [] }];
    });
  },
});
