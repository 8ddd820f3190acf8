import { ScalarType } from '@bufbuild/protobuf';
import type { JsonValue } from '@bufbuild/protobuf';
import { FlotillaError, parseDurationMs } from '@flotilla/runtime';
import type { FaultList, FieldPath } from './fault.ts';

/** Names a JSON value's type as a message does: `a text`, `a list`. */
export function describeType(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return `the text ${quote(value)}`;
    case 'number':
      return `the number ${value}`;
    case 'boolean':
      return String(value);
    default:
      return 'a map';
  }
}

/** Quotes a value for a message, shortened. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text);
}

const INTEGER_RANGES: ReadonlyMap<ScalarType, readonly [min: number, max: number]> = new Map([
  [ScalarType.INT32, [-2_147_483_648, 2_147_483_647]],
  [ScalarType.SINT32, [-2_147_483_648, 2_147_483_647]],
  [ScalarType.SFIXED32, [-2_147_483_648, 2_147_483_647]],
  [ScalarType.UINT32, [0, 4_294_967_295]],
  [ScalarType.FIXED32, [0, 4_294_967_295]],
  [ScalarType.INT64, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
  [ScalarType.SINT64, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
  [ScalarType.SFIXED64, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
  [ScalarType.UINT64, [0, Number.MAX_SAFE_INTEGER]],
  [ScalarType.FIXED64, [0, Number.MAX_SAFE_INTEGER]],
]);

/** Reads one scalar into the form that `fromJson` takes. Adds a fault and returns `undefined` for anything else. */
export function decodeScalar(
  type: ScalarType,
  value: unknown,
  path: FieldPath,
  faults: FaultList,
): JsonValue | undefined {
  switch (type) {
    case ScalarType.STRING:
      return decodeText(value, path, faults);
    case ScalarType.BOOL:
      if (typeof value === 'boolean') return value;
      faults.error(path, `must be true or false, but is ${describeType(value)}`, 'Write true or false without quotes.');
      return undefined;
    case ScalarType.BYTES:
      return decodeBytes(value, path, faults);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      faults.error(path, `must be a number, but is ${describeType(value)}`, unquoteHint(value));
      return undefined;
    default:
      return decodeInteger(INTEGER_RANGES.get(type) ?? [0, 0], value, path, faults);
  }
}

function decodeText(value: unknown, path: FieldPath, faults: FaultList): string | undefined {
  if (typeof value === 'string') return value;
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  faults.error(
    path,
    `must be a text, but is ${describeType(value)}`,
    isPlain ? `Put it in quotes: ${JSON.stringify(String(value))}.` : '',
  );
  return undefined;
}

function decodeBytes(value: unknown, path: FieldPath, faults: FaultList): string | undefined {
  const text = decodeText(value, path, faults);
  if (text === undefined || /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2,3}={0,2})?$/.test(text)) return text;
  faults.error(path, 'must be bytes written in base64');
  return undefined;
}

function decodeInteger(
  [min, max]: readonly [number, number],
  value: unknown,
  path: FieldPath,
  faults: FaultList,
): number | string | undefined {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    faults.error(path, `must be a whole number, but is ${describeType(value)}`, unquoteHint(value));
    return undefined;
  }
  if (value < min || value > max) {
    faults.error(
      path,
      value < min ? `must be ${min} or more, but is ${value}` : `must be ${max} or less, but is ${value}`,
    );
    return undefined;
  }
  return value;
}

function unquoteHint(value: unknown): string {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? `Write it without quotes: ${value}.` : '';
}

// What google.protobuf.Duration can hold: about 10,000 years.
const MAX_DURATION_MS = 315_576_000_000_000;

/** Reads a duration as Go and Istio write it (`1h30m`, `0.5s`) into protobuf's JSON form (`5400s`). */
export function decodeDuration(value: unknown, path: FieldPath, faults: FaultList): string | undefined {
  const hint = 'Write a number with a unit, such as 250ms, 7s or 1h30m.';
  if (typeof value !== 'string') {
    faults.error(path, `must be a duration, but is ${describeType(value)}`, hint);
    return undefined;
  }
  try {
    const ms = parseDurationMs(value);
    if (Math.abs(ms) <= MAX_DURATION_MS) {
      // eslint-disable-next-line regexp/no-super-linear-move -- a number has few digits
      const seconds = (ms / 1000).toFixed(9).replace(/\.?0+$/, '');
      return `${seconds === '-0' ? '0' : seconds}s`;
    }
    faults.error(path, `${quote(value)} is longer than a duration can be`);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    faults.error(path, `${quote(value)} is not a duration`, hint);
  }
  return undefined;
}
