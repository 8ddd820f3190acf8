export { decodeBytes, requireValid, unpackValid, violationsOf, type Violation } from './constraints.ts';
export { unsupportedIn, type Unsupported } from './unsupported.ts';
export { formatPath, type FieldPath } from './field-path.ts';
