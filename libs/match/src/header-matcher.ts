import { compileStringMatcher, type StringMatch } from './string-matcher.ts';

/** A rule for one header, with the meaning of Envoy's `HeaderMatcher`. */
export interface HeaderMatch {
  /** Lower case; `:path`, `:method`, `:authority` and `:scheme` name the request line's parts. */
  readonly name: string;
  readonly value:
    | { readonly kind: 'string'; readonly match: StringMatch }
    /** A decimal integer in [start, end). */
    | { readonly kind: 'range'; readonly start: number; readonly end: number }
    | { readonly kind: 'present'; readonly present: boolean };
  readonly invert?: boolean;
  /** A missing header counts as one with the empty value. */
  readonly treatMissingAsEmpty?: boolean;
}

/** A header as a request has it: its value, its values when it comes several times, undefined when it is missing. */
export type HeaderValues = string | readonly string[] | undefined;

export type HeaderPredicate = (values: HeaderValues) => boolean;

/**
 * Compiles the rule. Of several values one that matches is enough, and an inverted rule wants that none does. A
 * missing header never matches a value rule, inverted or not, unless `treatMissingAsEmpty` says otherwise (Envoy's
 * semantics).
 */
export function compileHeaderMatcher(spec: HeaderMatch): HeaderPredicate {
  const invert = spec.invert === true;
  if (spec.value.kind === 'present') {
    const wanted = spec.value.present !== invert;
    if (spec.treatMissingAsEmpty === true) return () => wanted;
    return (values) => (values !== undefined) === wanted;
  }
  const matches = spec.value.kind === 'string' ? compileStringMatcher(spec.value.match) : compileRange(spec.value);
  const matchesMissing = spec.treatMissingAsEmpty === true && matches('') !== invert;
  return (values) => {
    if (values === undefined) return matchesMissing;
    return (typeof values === 'string' ? matches(values) : values.some(matches)) !== invert;
  };
}

function compileRange({ start, end }: { readonly start: number; readonly end: number }): (text: string) => boolean {
  return (text) => {
    if (!/^\s*[+-]?\d{1,19}\s*$/.test(text)) return false;
    const value = Number(text);
    return value >= start && value < end;
  };
}
