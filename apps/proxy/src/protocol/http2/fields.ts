import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { HeaderList } from '@flotilla/http-codec';

/**
 * Header fields of an HTTP/2 message without its pseudo headers. `fields`: names and values in their order, where Node
 * gives them; else the order within one name is kept alone. Null: there are none.
 */
export function headerListOf(headers: IncomingHttpHeaders, fields: readonly string[] | undefined): HeaderList | null {
  const list = fields === undefined ? listOf(headers) : withoutPseudo(fields);
  return list.size === 0 ? null : list;
}

/** Skips pseudo headers; the crumbs of a cookie become one field (RFC 9113, section 8.2.3). */
export function withoutPseudo(fields: readonly string[]): HeaderList {
  const flat: string[] = [];
  let cookieAt = -1;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? '';
    if (name.charCodeAt(0) === 0x3a) continue;
    const value = trimmed(fields[index + 1] ?? '');
    if (name === 'cookie' && cookieAt !== -1) flat[cookieAt] = `${flat[cookieAt] ?? ''}; ${value}`;
    else {
      if (name === 'cookie') cookieAt = flat.length + 1;
      flat.push(name, value);
    }
  }
  return new HeaderList(flat);
}

function listOf(headers: IncomingHttpHeaders): HeaderList {
  const flat: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) flat.push(name, trimmed(each));
  }
  return new HeaderList(flat);
}

/** Without white space around it, as a reader of HTTP/1.1 takes it: who decides and who is asked see the same. */
function trimmed(value: string): string {
  return isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1)) ? value.trim() : value;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Adds the fields to an object in the form that `node:http2` sends; values of one name become a list. */
export function addFields(target: OutgoingHttpHeaders, { flat }: HeaderList): OutgoingHttpHeaders {
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index] ?? '';
    const value = flat[index + 1] ?? '';
    if (isConnectionField(name) || (name === 'te' && value !== 'trailers')) continue;
    const known = target[name];
    if (known === undefined) target[name] = value;
    else target[name] = Array.isArray(known) ? [...known, value] : [String(known), value];
  }
  return target;
}

/** Fields of HTTP/1.1 connections, which may not stand in HTTP/2 (RFC 9113, section 8.2.2). */
function isConnectionField(name: string): boolean {
  switch (name) {
    case 'connection':
    case 'keep-alive':
    case 'proxy-connection':
    case 'transfer-encoding':
    case 'upgrade':
    case 'http2-settings':
    case 'host':
      return true;
    default:
      return false;
  }
}
