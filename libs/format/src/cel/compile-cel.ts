import { FlotillaError } from '@flotilla/runtime';
import type { CelProgram } from './cel-program.ts';

let compile: ((expression: string) => CelProgram) | null = null;

/** Whether expressions can be compiled now. */
export function hasCel(): boolean {
  return compile !== null;
}

/** Makes expressions ready. The language takes 4 MB, which most programs never need; compiling cannot wait for it. */
export async function loadCel(): Promise<void> {
  ({ compileCel: compile } = await import('./program.ts'));
}

/** Throws `invalid` with the place of the fault, `internal` before `loadCel` is done. */
export function compileCel(expression: string): CelProgram {
  if (compile === null) throw new FlotillaError('internal', 'expressions were not prepared');
  return compile(expression);
}
