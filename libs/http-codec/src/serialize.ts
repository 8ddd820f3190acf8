import { STATUS_CODES } from 'node:http';
import type { HeaderList } from './header-list.ts';
import { respell, type Spelling } from './spelling.ts';

// Start lines are few: made once.
const statusLines: string[] = [];

/** Phrases that are not Node's, but those of Envoy's table. */
const PHRASES: Readonly<Record<number, string>> = {
  418: 'Unknown',
  451: 'Unknown',
  599: 'Last Unassigned Server Error Code',
};

function statusLine(status: number, minorVersion: number): string {
  return `HTTP/1.${minorVersion} ${status} ${PHRASES[status] ?? STATUS_CODES[status] ?? 'Unknown'}\r\n`;
}

/**
 * The head of a response as latin1 text, ended by the empty line. `extra` holds further field lines, each
 * ended by CRLF (framing and connection, which the caller decides on), or is empty. To an HTTP/1.0 request the answer
 * is of that version, too (as Envoy does). Names are written as the message has them, otherwise as `spelling` says.
 */
export function serializeResponseHead(
  status: number,
  headers: HeaderList,
  extra: string,
  minorVersion = 1,
  spelling: Spelling | null = null,
): string {
  let text = minorVersion === 1 ? (statusLines[status] ??= statusLine(status, 1)) : statusLine(status, minorVersion);
  const { flat } = headers;
  for (let index = 0; index < flat.length; index += 2) text += `${flat[index]}: ${flat[index + 1]}\r\n`;
  text += `${extra}\r\n`;
  const used = headers.spelling ?? spelling;
  return used === null ? text : respell(text, used);
}

/** The head of a request, `host` first. Otherwise as `serializeResponseHead`. */
export function serializeRequestHead(
  method: string,
  target: string,
  authority: string,
  headers: HeaderList,
  extra: string,
  spelling: Spelling | null = null,
): string {
  let text = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n`;
  const { flat } = headers;
  for (let index = 0; index < flat.length; index += 2) text += `${flat[index]}: ${flat[index + 1]}\r\n`;
  text += `${extra}\r\n`;
  const used = headers.spelling ?? spelling;
  return used === null ? text : respell(text, used);
}

/** Field lines that frame a body; use as `extra`. */
export const CHUNKED_FIELD = 'transfer-encoding: chunked\r\n';
export const CLOSE_FIELD = 'connection: close\r\n';
export const KEEP_ALIVE_FIELD = 'connection: keep-alive\r\n';

export function contentLengthField(length: number): string {
  return `content-length: ${length}\r\n`;
}

export function upgradeFields(protocol: string): string {
  return `connection: upgrade\r\nupgrade: ${protocol}\r\n`;
}

/** The line before a chunk's data. Never for an empty chunk: that would end the body. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** What follows a chunk's data. */
export const CHUNK_END = '\r\n';

/** The last chunk without trailers. */
export const LAST_CHUNK = '0\r\n\r\n';

/** The last chunk with trailers. */
export function lastChunk(trailers: HeaderList | null): string {
  if (trailers === null || trailers.size === 0) return LAST_CHUNK;
  let text = '0\r\n';
  const { flat } = trailers;
  for (let index = 0; index < flat.length; index += 2) text += `${flat[index]}: ${flat[index + 1]}\r\n`;
  return `${text}\r\n`;
}
