import type { JsonValue } from '@bufbuild/protobuf';
import { FlotillaError, printable } from '@flotilla/runtime';
import { compileOperator, originOf } from './format-operators.ts';
import type { OperatorValue } from './operator.ts';
import type { Surroundings } from './surroundings.ts';
import { lineText, Structure, textOf, type ValueOrigin } from './log-text.ts';
import type { StreamInfo } from '@flotilla/stream';

export interface FormatOptions {
  /** What an operator without a value prints. Access logs: `-` (the default); header values: the empty text. */
  readonly absent?: string;
  /** For a line of a log, which nobody's values may end or steer. Otherwise they are octets as they came. */
  readonly isLine?: boolean;
}

/** A piece of a compiled format: literal text, or an operator. */
type FormatPart = string | { readonly value: OperatorValue; readonly origin: ValueOrigin };

/** What an operator's text becomes. */
type Show = (text: string, origin: ValueOrigin) => string;

const asItCame: Show = (text) => text;

/**
 * Compiles a text with Envoy's command operators (`%REQ(X?Y):N%`, `%RESPONSE_CODE%`, …; `%%` is a per cent sign).
 * Throws `invalid` for an unknown operator or a `%` that opens none.
 */
export function compileFormat(
  format: string,
  surroundings: Surroundings,
  { absent = '-', isLine = false }: FormatOptions = {},
): (info: StreamInfo) => string {
  return join(compileFormatParts(format, surroundings), absent, isLine ? lineText : asItCame);
}

function join(parts: readonly FormatPart[], absent: string, show: Show): (info: StreamInfo) => string {
  if (parts.every((part) => typeof part === 'string')) {
    const text = parts.join('');
    return () => text;
  }
  const isLine = show === lineText;
  return (info) => {
    let text = '';
    for (const part of parts) {
      if (typeof part === 'string') text += part;
      else {
        const value = part.value(info);
        if (typeof value === 'string') text += show(value, part.origin);
        else if (value instanceof Structure && isLine) text += printable(value.toString());
        else text += value ?? absent;
      }
    }
    return text;
  };
}

/**
 * Like `compileFormat`, but texts are in UTF-8, and a format that is one operator alone keeps its type: numbers stay
 * numbers, structures structures, and an absent value is null (Envoy's JSON access logs).
 */
export function compileTypedFormat(format: string, surroundings: Surroundings): (info: StreamInfo) => JsonValue {
  const parts = compileFormatParts(format, surroundings);
  const [only] = parts;
  if (parts.length !== 1 || typeof only !== 'object') return join(parts, '-', textOf);
  return (info) => {
    const value = only.value(info);
    if (typeof value === 'string') return textOf(value);
    return value instanceof Structure ? value.value : value;
  };
}

function compileFormatParts(format: string, surroundings: Surroundings): FormatPart[] {
  const parts: FormatPart[] = [];
  // The argument may hold per cent signs (START_TIME), so it ends at the first ")" that closes the operator.
  const pattern = /%%|%([A-Z0-9_]+)(?:\(([^]*?)\))?(?::(\d+))?%|[^%]+/gy;
  let end = 0;
  for (let match = pattern.exec(format); match !== null; match = pattern.exec(format)) {
    end = pattern.lastIndex;
    const [text, name, argument, maxLength] = match;
    if (text === '%%') pushLiteral(parts, '%');
    else if (name === undefined) pushLiteral(parts, text);
    else {
      const value = truncated(compileOperator(name, argument ?? null, surroundings), maxLength);
      parts.push({ value, origin: originOf(name) });
    }
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
