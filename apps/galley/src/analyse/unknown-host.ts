import { destinationsOf, FAULT_CODES, quote } from '@flotilla/model';
import type { Analyser } from './analyser.ts';

/** A destination's host is no service of the mesh: its requests would get a 503. */
export const unknownHost: Analyser = (resource, { set, isWholeMesh }) => {
  if (!isWholeMesh) return [];
  const seen = new Set<string>();
  return destinationsOf(resource).flatMap(({ host, writtenHost, path }) => {
    if (set.services.covers(host) || seen.has(host)) return [];
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
};
