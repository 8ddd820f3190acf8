export { decodeBytes, requireValid, unpackValid, violationsOf, type Violation } from './constraints.ts';
export { unsupportedIn, type Unsupported } from './unsupported.ts';
export { formatPath, type FieldPath } from './field-path.ts';
export { denominatorOf, fractionOf, inField, refuse } from './field.ts';
export { compileValueMatcher, valueAt, type ValuePredicate } from './value-match.ts';
export { compileStringMatchers, headerMatchOf, queryMatchOf, stringMatchOf } from './matcher-specs.ts';
