import { FlotillaError } from '@flotilla/runtime';
import { compileOperator, type OperatorValue } from './format-operators.ts';
import type { StreamInfo } from './stream-info.ts';

export interface FormatOptions {
  /** What an operator without a value prints. Access logs: `-` (the default); header values: the empty text. */
  readonly absent: string;
}

const ACCESS_LOG_OPTIONS: FormatOptions = { absent: '-' };

/** A piece of a compiled format: literal text, or an operator. */
export type FormatPart = string | OperatorValue;

/**
 * Compiles a text with Envoy's command operators (`%REQ(X?Y):N%`, `%RESPONSE_CODE%`, …; `%%` is a per cent sign).
 * Throws `invalid` for an unknown operator or a `%` that opens none.
 */
export function compileFormat(
  format: string,
  options: FormatOptions = ACCESS_LOG_OPTIONS,
): (info: StreamInfo) => string {
  const parts = compileFormatParts(format);
  const { absent } = options;
  if (parts.every((part) => typeof part === 'string')) {
    const text = parts.join('');
    return () => text;
  }
  return (info) => {
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : (part(info) ?? absent);
    return text;
  };
}

/**
 * Like `compileFormat`, but a format that is one operator alone keeps its type: numbers stay numbers and an
 * absent value is null (Envoy's JSON access logs).
 */
export function compileTypedFormat(format: string): OperatorValue {
  const parts = compileFormatParts(format);
  const [only] = parts;
  if (parts.length === 1 && typeof only === 'function') return only;
  return compileFormat(format);
}

function compileFormatParts(format: string): FormatPart[] {
  const parts: FormatPart[] = [];
  // The argument may hold per cent signs (START_TIME), so it ends at the first ")" that closes the operator.
  const pattern = /%%|%([A-Z0-9_]+)(?:\(([^]*?)\))?(?::(\d+))?%|[^%]+/gy;
  let end = 0;
  for (let match = pattern.exec(format); match !== null; match = pattern.exec(format)) {
    end = pattern.lastIndex;
    const [text, name, argument, maxLength] = match;
    if (text === '%%') pushLiteral(parts, '%');
    else if (name === undefined) pushLiteral(parts, text);
    else parts.push(truncated(compileOperator(name, argument ?? null), maxLength));
  }
  if (end !== format.length) {
    throw new FlotillaError('invalid', `"${format.slice(end, end + 30)}" at offset ${end} is not a command operator`, {
      hint: 'Write %NAME%, %NAME(ARGUMENT)% or %NAME(ARGUMENT):MAX_LENGTH%; a per cent sign itself is %%.',
    });
  }
  return parts;
}

function pushLiteral(parts: FormatPart[], text: string): void {
  const last = parts.at(-1);
  if (typeof last === 'string') parts[parts.length - 1] = last + text;
  else parts.push(text);
}

function truncated(operator: OperatorValue, maxLength: string | undefined): OperatorValue {
  if (maxLength === undefined) return operator;
  const length = Number(maxLength);
  return (info) => {
    const value = operator(info);
    return typeof value === 'string' ? value.slice(0, length) : value;
  };
}
