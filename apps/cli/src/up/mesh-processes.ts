import type { Clock } from '@flotilla/runtime';
import type { RotatingFile } from '@flotilla/runtime/disk';
import type { ProcessSpec, SupervisedProcess } from '../supervisor/supervised.ts';
import type { MeshPlan } from './plan.ts';

export interface Directories {
  readonly data: string;
  /** Configuration that follows from the mesh file. */
  readonly generated: string;
  readonly logs: string;
  /** Path of the file that stands for a missing `meshConfig`. */
  readonly defaultMeshConfig: string;
}

/** The processes of one running mesh, by name: `control-plane`, `<workload>/proxy`, `<workload>/application`. */
export interface MeshProcesses {
  readonly plan: MeshPlan;
  readonly directories: Directories;
  readonly envoyPath: string | null;
  readonly clock: Clock;
  /** One line for the person at the terminal. */
  readonly progress: (line: string) => void;
  readonly all: Map<string, SupervisedProcess>;
  /** What they say, by the same names. */
  readonly logs: Map<string, RotatingFile>;
  spawn(name: string, spec: Omit<ProcessSpec, 'name' | 'output'>): SupervisedProcess;
}
