import { typedResource } from '@flotilla/model';
import type { FaultList } from '@flotilla/model';
import { refusalsOfResource } from '@flotilla/translate';
import type { Candidate } from '../decode/candidate.ts';

/**
 * Adds what Envoy would refuse of what pilot makes of a resource. The rules of each kind should have found it before, and
 * tell the field; this is the net below them, and names the field of the Envoy resource.
 */
export function checkDataPlane({ content, entry, spec }: Candidate, faults: FaultList): void {
  const resource = typedResource({ ...content, resourceVersion: 0, createdAtMs: 0 }, entry, spec);
  for (const { place, reason } of refusalsOfResource(resource)) {
    faults.error(['spec'], `proxies would refuse what comes of it: ${place}: ${reason}`);
  }
}
