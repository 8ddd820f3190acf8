import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { compileStringMatcher } from '@flotilla/match';
import type { DoubleMatcher } from '@flotilla/wire/envoy/type/matcher/v3/number_pb.js';
import type { ValueMatcher } from '@flotilla/wire/envoy/type/matcher/v3/value_pb.js';
import { refuse } from './field.ts';
import { stringMatchOf } from './matcher-specs.ts';

export type ValuePredicate = (value: JsonValue) => boolean;

/** Compiles a `ValueMatcher`. Throws `invalid`, naming the field. */
export function compileValueMatcher(matcher: ValueMatcher | undefined, path: string): ValuePredicate {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case 'nullMatch':
      return (value) => value === null;
    case 'boolMatch':
      return (value) => value === pattern.value;
    case 'presentMatch':
      // The value is there.
      return () => pattern.value;
    case 'stringMatch': {
      const matches = compileStringMatcher(stringMatchOf(pattern.value, `${path}.string_match`));
      return (value) => typeof value === 'string' && matches(value);
    }
    case 'doubleMatch':
      return compileNumber(pattern.value, `${path}.double_match`);
    case 'listMatch': {
      const { matchPattern } = pattern.value;
      const matches = compileValueMatcher(matchPattern.value, `${path}.list_match.one_of`);
      return (value) => Array.isArray(value) && value.some((item) => matches(item));
    }
    case 'orMatch': {
      const all = pattern.value.valueMatchers.map((each, index) =>
        compileValueMatcher(each, `${path}.or_match.value_matchers[${index}]`),
      );
      return (value) => all.some((matches) => matches(value));
    }
    case undefined:
      return refuse(path, 'is missing');
  }
}

function compileNumber({ matchPattern }: DoubleMatcher, path: string): ValuePredicate {
  switch (matchPattern.case) {
    case 'exact':
      return (value) => value === matchPattern.value;
    case 'range': {
      const { start, end } = matchPattern.value;
      return (value) => typeof value === 'number' && value >= start && value < end;
    }
    case undefined:
      return refuse(path, 'is missing');
  }
}

/** What stands at the end of a path through objects; undefined: nothing. */
export function valueAt(object: JsonObject | undefined, keys: readonly string[]): JsonValue | undefined {
  let found: JsonValue | undefined = object;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined;
    found = found[key];
  }
  return found;
}
