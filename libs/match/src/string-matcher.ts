import { compileRegex } from './regex.ts';

/** A rule for one text. `ignoreCase` has no meaning for a regex (write `(?i)` there). */
export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'prefix'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'suffix'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'contains'; readonly value: string; readonly ignoreCase?: boolean }
  /** The whole text matches, RE2. */
  | { readonly kind: 'regex'; readonly value: string };

export type StringPredicate = (text: string) => boolean;

/** Compiles the rule. Throws `invalid` for a malformed regex. Case is folded for ASCII letters only, as Envoy does. */
export function compileStringMatcher(spec: StringMatch): StringPredicate {
  if (spec.kind === 'regex') return compileRegex(spec.value);
  if (spec.ignoreCase !== true) return compileCaseSensitive(spec.kind, spec.value);
  const matches = compileCaseSensitive(spec.kind, lowerAscii(spec.value));
  return (text) => matches(lowerAscii(text));
}

function compileCaseSensitive(kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string): StringPredicate {
  switch (kind) {
    case 'exact':
      return (text) => text === value;
    case 'prefix':
      return (text) => text.startsWith(value);
    case 'suffix':
      return (text) => text.endsWith(value);
    case 'contains':
      return (text) => text.includes(value);
  }
}

/** Lowers A to Z and nothing else; header values hold latin1, where `toLowerCase` would change more. */
export function lowerAscii(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
