import type { HeaderList } from '@flotilla/http-codec';
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOption,
} from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { compileFormat } from './header-formatter.ts';
import type { StreamInfo } from '@flotilla/stream';
import { inField, refuse } from '@flotilla/envoy';
import type { Surroundings } from './surroundings.ts';

export type HeaderEdit = (headers: HeaderList, info: StreamInfo) => void;

/** What is done to the heads of a request and its response. */
export interface HeaderEdits {
  /** Null where there is nothing to edit. */
  readonly request: HeaderEdit | null;
  readonly response: HeaderEdit | null;
}

/** The header fields that a table, virtual host, route or weighted cluster may carry. */
export interface HeaderEditFields {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** Compiles one level's edits: removals first, then additions whose values are all computed before any is written. */
export function compileHeaderEdits(fields: HeaderEditFields, path: string, surroundings: Surroundings): HeaderEdits {
  return {
    request: compileEdit(
      fields.requestHeadersToAdd,
      fields.requestHeadersToRemove,
      `${path}request_headers_to_add`,
      `${path}request_headers_to_remove`,
      surroundings,
    ),
    response: compileEdit(
      fields.responseHeadersToAdd,
      fields.responseHeadersToRemove,
      `${path}response_headers_to_add`,
      `${path}response_headers_to_remove`,
      surroundings,
    ),
  };
}

/** Several levels' edits as one, run in the order given; null where no level edits. */
export function chainHeaderEdits(levels: readonly HeaderEdits[]): HeaderEdits {
  return {
    request: chainEdits(levels.map((level) => level.request)),
    response: chainEdits(levels.map((level) => level.response)),
  };
}

function chainEdits(edits: readonly (HeaderEdit | null)[]): HeaderEdit | null {
  const present = edits.filter((edit) => edit !== null);
  const [first, second] = present;
  if (first === undefined) return null;
  if (second === undefined) return first;
  return (headers, info) => {
    for (const edit of present) edit(headers, info);
  };
}

interface Addition {
  readonly name: string;
  readonly format: (info: StreamInfo) => string;
  /** `present`, `absent`: only where the header is so. */
  readonly when: 'always' | 'present' | 'absent';
  readonly overwrites: boolean;
  readonly keepEmptyValue: boolean;
}

function compileEdit(
  options: readonly HeaderValueOption[],
  removed: readonly string[],
  addPath: string,
  removePath: string,
  surroundings: Surroundings,
): HeaderEdit | null {
  if (options.length === 0 && removed.length === 0) return null;
  const additions = options.map((option, index) => additionOf(option, `${addPath}[${index}]`, surroundings));
  const names = removed.map((name, index) => editableName(name, `${removePath}[${index}]`));
  const [only] = additions;
  if (names.length === 0 && additions.length === 1 && only !== undefined) {
    return (headers, info) => {
      if (isWanted(headers, only)) write(headers, only, only.format(info));
    };
  }
  return (headers, info) => {
    for (const name of names) headers.remove(name);
    // Every value and every condition goes by the headers as they came; then what overwrites is written first (Envoy).
    const values = additions.map((addition) => (isWanted(headers, addition) ? addition.format(info) : null));
    for (const isSet of [true, false]) {
      for (const [index, addition] of additions.entries()) {
        const value = values[index];
        if (addition.overwrites === isSet && value !== null && value !== undefined) write(headers, addition, value);
      }
    }
  };
}

/** One header to add, as an edit of its own. Throws `invalid`. */
export function compileAddition(option: HeaderValueOption, path: string, surroundings: Surroundings): HeaderEdit {
  const addition = additionOf(option, path, surroundings);
  return (headers, info) => {
    if (isWanted(headers, addition)) write(headers, addition, addition.format(info));
  };
}

/** One header to remove, as an edit of its own. Throws `invalid`. */
export function compileRemoval(key: string, path: string): HeaderEdit {
  const name = editableName(key, path);
  return (headers) => headers.remove(name);
}

function additionOf(option: HeaderValueOption, path: string, surroundings: Surroundings): Addition {
  const header = option.header;
  if (header === undefined) return refuse(`${path}.header`, 'is missing');
  const name = editableName(header.key, `${path}.header.key`);
  const text = header.rawValue.length > 0 ? octetsOf(header.rawValue) : header.value;
  if (/[\r\n\0]/.test(text)) refuse(`${path}.header.value`, 'holds a line break or a null character');
  const action = option.append === false ? AppendAction.OVERWRITE_IF_EXISTS_OR_ADD : option.appendAction;
  return {
    name,
    format: inField(`${path}.header.value`, () => compileFormat(text, surroundings, { absent: '' })),
    when:
      action === AppendAction.ADD_IF_ABSENT
        ? 'absent'
        : action === AppendAction.OVERWRITE_IF_EXISTS
          ? 'present'
          : 'always',
    overwrites: action === AppendAction.OVERWRITE_IF_EXISTS || action === AppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    keepEmptyValue: option.keepEmptyValue,
  };
}

/** One character an octet. */
function octetsOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

function editableName(key: string, path: string): string {
  const name = key.toLowerCase();
  if (name.startsWith(':') || name === 'host') {
    refuse(path, `"${key}" may not be edited`, 'Rewrite path and host with the rewrite fields of the route action.');
  }
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) refuse(path, `"${key}" is not a header name`);
  return name;
}

function isWanted(headers: HeaderList, { name, when }: Addition): boolean {
  return when === 'always' || headers.has(name) === (when === 'present');
}

function write(headers: HeaderList, { name, overwrites, keepEmptyValue }: Addition, value: string): void {
  if (value === '' && !keepEmptyValue) return;
  const before = overwrites || !JOINED.has(name) ? undefined : headers.get(name);
  if (overwrites) headers.set(name, value);
  else if (before === undefined) headers.append(name, value);
  else headers.set(name, `${before},${value}`);
}

/** Headers of which Envoy keeps one field: what is appended is joined to it with a comma. */
const JOINED: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-type',
  'etag',
  'expect',
  'grpc-message',
  'grpc-status',
  'grpc-timeout',
  'keep-alive',
  'location',
  'origin',
  'proxy-connection',
  'referer',
  'server',
  'te',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
]);
