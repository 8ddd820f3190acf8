import type { Fault, MeshResourceOf, ResourceKey } from '@flotilla/model';
import type { MeshSet } from '../set/mesh-set.ts';

/** Something wrong between resources. */
export interface CrossFault {
  /** Path and position are those of the resource that was analysed. */
  readonly fault: Fault;
  /** Other resources that a change of could have brought this about, in lists that other faults may share. */
  readonly causes: readonly (readonly ResourceKey[])[];
}

export interface AnalysisScope {
  readonly set: MeshSet;
  /** False when `set` holds only some documents of a mesh: what is missing may then be elsewhere. */
  readonly isWholeMesh: boolean;
}

/** Judges one VirtualService against the rest of the set. Synchronous, and bounded by what the resource names. */
export type Analyser = (resource: MeshResourceOf<'VirtualService'>, scope: AnalysisScope) => readonly CrossFault[];
