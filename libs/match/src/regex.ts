import { RE2JS, RE2JSException } from 're2js';
import { FlotillaError, limit } from '@flotilla/runtime';

/** Upper bound of a compiled expression's program, as Istio sets it for Envoy (`re2.max_program_size.error_level`). */
export const MAX_REGEX_PROGRAM_SIZE = limit({
  name: 'match.regex-program',
  what: 'program of one regular expression of the configuration, in instructions (as Istio sets it for Envoy)',
  default: 32_768,
  unit: 'count',
  past: 'the resource is refused',
});

/**
 * Compiles an RE2 expression into a predicate that is true when the *whole* text matches, as Envoy's `safe_regex`
 * and Istio's `regex` do. Linear time. Throws `invalid` with RE2's reason.
 */
export function compileRegex(expression: string): (text: string) => boolean {
  const program = compileProgram(expression);
  return (text) => program.testExact(text);
}

/** As `compileRegex`, for a match anywhere in the text. */
export function compileRegexSearch(expression: string): (text: string) => boolean {
  const program = compileProgram(expression);
  return (text) => program.test(text);
}

export interface RegexSubstitutionSpec {
  readonly regex: string;
  /** `\1` to `\9` are the capture groups, `\0` the whole match, `\\` a backslash. */
  readonly substitution: string;
}

/**
 * Replaces every match, as RE2's GlobalReplace does (an empty match right after another is no match).
 * Throws `invalid` when the expression is malformed or the substitution names a group that is not there.
 */
export function compileRegexSubstitution(spec: RegexSubstitutionSpec): (text: string) => string {
  const program = compileProgram(spec.regex);
  const parts = parseSubstitution(spec, program.groupCount());
  return (text) => {
    const matcher = program.matcher(text);
    let result = '';
    let copied = 0;
    let lastEnd = -1;
    while (matcher.find()) {
      const start = matcher.start();
      const end = matcher.end();
      if (start === end && start === lastEnd) continue;
      result += text.slice(copied, start);
      for (const part of parts) result += typeof part === 'string' ? part : (matcher.group(part) ?? '');
      copied = end;
      lastEnd = end;
    }
    return lastEnd === -1 ? text : result + text.slice(copied);
  };
}

function compileProgram(expression: string): RE2JS {
  let program: RE2JS;
  try {
    program = RE2JS.compile(expression);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const reason = error.message.replace(/^error parsing regexp: /, '');
    throw new FlotillaError('invalid', `"${expression}" is not a regular expression of RE2: ${reason}`, {
      cause: error,
      hint: 'See github.com/google/re2/wiki/Syntax; look-around and back-references do not exist in RE2.',
    });
  }
  if (program.programSize() > MAX_REGEX_PROGRAM_SIZE) {
    throw new FlotillaError('invalid', `"${expression.slice(0, 60)}" compiles into too large a program`, {
      hint: `The limit is ${MAX_REGEX_PROGRAM_SIZE} instructions; lower the repetition counts.`,
    });
  }
  return program;
}

function parseSubstitution(spec: RegexSubstitutionSpec, groups: number): (string | number)[] {
  const parts: (string | number)[] = [];
  for (const [text, escaped] of spec.substitution.matchAll(/\\([^])|[^\\]+|\\$/g)) {
    if (escaped === undefined && text !== '\\') parts.push(text);
    else if (escaped === '\\') parts.push('\\');
    else if (escaped !== undefined && /^\d$/.test(escaped) && Number(escaped) <= groups) parts.push(Number(escaped));
    else {
      throw new FlotillaError('invalid', `"${text}" in substitution "${spec.substitution}" names no capture group`, {
        hint: `"${spec.regex}" has ${groups} groups; write \\0 to \\${groups}, and \\\\ for a backslash.`,
      });
    }
  }
  return parts;
}
