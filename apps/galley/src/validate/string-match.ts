import { FlotillaError } from '@flotilla/runtime';
import { compileRegex } from '@flotilla/match';
import type { StringMatch } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { FaultList, FieldPath } from '@flotilla/model';

/** Istio's bound: a proxy bounds the size of the compiled program, which no author can know. */
const MAX_REGEX_BYTES = 1024;

/** An expression in the syntax of RE2. */
export function checkRegex(expression: string, path: FieldPath, faults: FaultList): void {
  if (expression === '') {
    faults.error(path, 'the regular expression is empty');
    return;
  }
  const bytes = Buffer.byteLength(expression);
  if (bytes > MAX_REGEX_BYTES) {
    faults.error(path, `the regular expression has ${bytes} bytes, more than the ${MAX_REGEX_BYTES} allowed`);
    return;
  }
  try {
    compileRegex(expression);
  } catch (error) {
    const { message, hint } = FlotillaError.from(error);
    faults.error(path, message, hint ?? '');
  }
}

/** A match without a form (`{}`) asks for presence, which only headers and query parameters have. */
export function checkStringMatch(
  match: StringMatch | undefined,
  path: FieldPath,
  faults: FaultList,
  options: { readonly mayBePresence: boolean } = { mayBePresence: false },
): void {
  if (match === undefined) return;
  if (match.matchType.case === 'regex') checkRegex(match.matchType.value, [...path, 'regex'], faults);
  if (match.matchType.case === undefined && !options.mayBePresence) {
    faults.error(path, 'says nothing to compare with', 'Add exact, prefix or regex.');
  }
  if (match.matchType.case === 'prefix' && match.matchType.value === '') {
    faults.error([...path, 'prefix'], 'the prefix is empty', 'Leave it out to match everything.');
  }
}
