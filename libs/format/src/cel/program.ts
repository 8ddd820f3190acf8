import { celEnv, type CelResult, isCelError, isCelUint, parse, plan } from '@bufbuild/cel';
import { compileRegexSearch } from '@flotilla/match';
import { FlotillaError } from '@flotilla/runtime';
import { attributesOf } from './attributes.ts';
import type { CelProgram } from './cel-program.ts';

const environment = celEnv({ re2: { compile: (pattern) => ({ test: compileRegexSearch(pattern) }) } });

/** Throws `invalid` with the place of the fault. */
export function compileCel(expression: string): CelProgram {
  let evaluate: (bindings: ReturnType<typeof attributesOf>) => CelResult;
  try {
    evaluate = plan(environment, parse(expression));
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace('<input>:', '') : String(error);
    throw new FlotillaError('invalid', `"${expression}" is not an expression: ${reason}`, { cause: error });
  }
  return {
    holds: (info) => evaluate(attributesOf(info)) === true,
    value: (info) => printable(evaluate(attributesOf(info))),
  };
}

function printable(value: CelResult): string | number | boolean | null {
  if (isCelError(value)) return null;
  if (typeof value === 'bigint') return Number(value);
  if (isCelUint(value)) return Number(value.value);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}
