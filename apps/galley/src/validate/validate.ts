import type { FaultList, SpecByKind } from '@flotilla/model';
import type { Candidate } from '../decode/candidate.ts';
import { checkDataPlane } from './data-plane.ts';
import { validateDestinationRule } from './destination-rule.ts';
import { validateGateway } from './gateway.ts';
import { validatePeerAuthentication } from './peer-authentication.ts';
import { validateServiceEntry } from './service-entry.ts';
import { validateSidecar } from './sidecar.ts';
import { validateVirtualService } from './virtual-service.ts';
import { validateWorkloadEntry } from './workload-entry.ts';

/** Judges a spec on its own, beyond its schema, as Istio does. Fault paths begin with `spec`. */
export type Validator<Spec> = (spec: Spec, faults: FaultList) => void;

const VALIDATORS: { readonly [K in keyof SpecByKind]?: Validator<SpecByKind[K]> } = {
  VirtualService: validateVirtualService,
  DestinationRule: validateDestinationRule,
  Gateway: validateGateway,
  ServiceEntry: validateServiceEntry,
  WorkloadEntry: (entry, faults) => validateWorkloadEntry(entry, ['spec'], faults),
  Sidecar: validateSidecar,
  PeerAuthentication: validatePeerAuthentication,
};

/** Adds the faults of a candidate's semantics, and what data planes would refuse of it. */
export function validate(candidate: Candidate, faults: FaultList): void {
  // The entry that names the kind also decoded the spec, which TypeScript cannot follow through the union.
  const validator = VALIDATORS[candidate.entry.kind] as Validator<unknown> | undefined;
  validator?.(candidate.spec, faults);
  // What is wrong by itself is said by its own field, and need not be said again.
  if (!faults.hasErrors) checkDataPlane(candidate, faults);
}
