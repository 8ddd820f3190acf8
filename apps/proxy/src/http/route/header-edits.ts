import type { HeaderList } from '@flotilla/http-codec';
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOption,
} from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { compileFormat } from '../../observe/header-formatter.ts';
import type { StreamInfo } from '../../observe/stream-info.ts';
import { inField, refuse } from './field.ts';
import type { HeaderEdits } from './route.ts';

export type HeaderEdit = (headers: HeaderList, info: StreamInfo) => void;

/** The header fields that a table, virtual host, route or weighted cluster may carry. */
export interface HeaderEditFields {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** Compiles one level's edits: removals first, then additions whose values are all computed before any is written. */
export function compileHeaderEdits(fields: HeaderEditFields, path: string): HeaderEdits {
  return {
    request: compileEdit(
      fields.requestHeadersToAdd,
      fields.requestHeadersToRemove,
      `${path}request_headers_to_add`,
      `${path}request_headers_to_remove`,
    ),
    response: compileEdit(
      fields.responseHeadersToAdd,
      fields.responseHeadersToRemove,
      `${path}response_headers_to_add`,
      `${path}response_headers_to_remove`,
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
  readonly action: AppendAction;
  readonly keepEmptyValue: boolean;
}

function compileEdit(
  options: readonly HeaderValueOption[],
  removed: readonly string[],
  addPath: string,
  removePath: string,
): HeaderEdit | null {
  if (options.length === 0 && removed.length === 0) return null;
  const additions = options.map((option, index) => additionOf(option, `${addPath}[${index}]`));
  const names = removed.map((name, index) => editableName(name, `${removePath}[${index}]`));
  const [only] = additions;
  if (names.length === 0 && additions.length === 1 && only !== undefined) {
    return (headers, info) => write(headers, only, only.format(info));
  }
  return (headers, info) => {
    for (const name of names) headers.remove(name);
    // Every value is computed before the first is written, as Envoy does.
    const values = additions.map((addition) => addition.format(info));
    for (const [index, addition] of additions.entries()) write(headers, addition, values[index] ?? '');
  };
}

/** One header to add, as an edit of its own. Throws `invalid`. */
export function compileAddition(option: HeaderValueOption, path: string): HeaderEdit {
  const addition = additionOf(option, path);
  return (headers, info) => write(headers, addition, addition.format(info));
}

/** One header to remove, as an edit of its own. Throws `invalid`. */
export function compileRemoval(key: string, path: string): HeaderEdit {
  const name = editableName(key, path);
  return (headers) => headers.remove(name);
}

function additionOf(option: HeaderValueOption, path: string): Addition {
  const header = option.header;
  if (header === undefined) return refuse(`${path}.header`, 'is missing');
  const name = editableName(header.key, `${path}.header.key`);
  const text = header.rawValue.length > 0 ? Buffer.from(header.rawValue).toString('latin1') : header.value;
  if (/[\r\n\0]/.test(text)) refuse(`${path}.header.value`, 'holds a line break or a null character');
  return {
    name,
    format: inField(`${path}.header.value`, () => compileFormat(text, { absent: '' })),
    action: option.append === false ? AppendAction.OVERWRITE_IF_EXISTS_OR_ADD : option.appendAction,
    keepEmptyValue: option.keepEmptyValue,
  };
}

function editableName(key: string, path: string): string {
  const name = key.toLowerCase();
  if (name.startsWith(':') || name === 'host') {
    refuse(path, `"${key}" may not be edited`, 'Rewrite path and host with the rewrite fields of the route action.');
  }
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) refuse(path, `"${key}" is not a header name`);
  return name;
}

function write(headers: HeaderList, addition: Addition, value: string): void {
  if (value === '' && !addition.keepEmptyValue) return;
  switch (addition.action) {
    case AppendAction.APPEND_IF_EXISTS_OR_ADD:
      headers.append(addition.name, value);
      break;
    case AppendAction.ADD_IF_ABSENT:
      if (!headers.has(addition.name)) headers.append(addition.name, value);
      break;
    case AppendAction.OVERWRITE_IF_EXISTS_OR_ADD:
      headers.set(addition.name, value);
      break;
    case AppendAction.OVERWRITE_IF_EXISTS:
      if (headers.has(addition.name)) headers.set(addition.name, value);
      break;
  }
}
