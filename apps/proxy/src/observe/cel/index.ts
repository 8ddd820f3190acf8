import { FlotillaError } from '@flotilla/runtime';
import type { CelProgram } from './program.ts';

export type { CelProgram } from './program.ts';

/** By which configuration asks for expressions: the filter's type, and the operators `%CEL(…)%` and `%TYPED_CEL(…)%`. */
const MARKS = ['envoy.extensions.access_loggers.filters.cel.', 'CEL('];

let compile: ((expression: string) => CelProgram) | null = null;

/**
 * Makes expressions ready when one of these texts, encoded resources among them, asks for any. The language takes
 * 4 MB, which most proxies never need; compiling, which cannot wait, comes after this.
 */
export async function prepareCel(texts: Iterable<Uint8Array>): Promise<void> {
  if (compile !== null) return;
  for (const text of texts) {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    if (!MARKS.some((mark) => bytes.includes(mark))) continue;
    ({ compileCel: compile } = await import('./program.ts'));
    return;
  }
}

/** Throws `invalid` with the place of the fault. */
export function compileCel(expression: string): CelProgram {
  if (compile === null) throw new FlotillaError('internal', 'expressions were not prepared');
  return compile(expression);
}
