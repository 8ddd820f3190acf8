import type { IncomingHttpHeaders } from 'node:http2';
import type { HeaderList, RequestHead } from '@flotilla/http-codec';
import { withoutPseudo } from '../../../protocol/http2/fields.ts';

/**
 * The head of an HTTP/2 request in the form of HTTP/1's: an extended CONNECT (RFC 8441) is the upgrade that it stands
 * for, as in Envoy. `fields`: names and values in their order.
 */
export function requestHeadOf(headers: IncomingHttpHeaders, fields: readonly string[], isWhole: boolean): RequestHead {
  const list = withoutPseudo(fields);
  const host = list.get('host') ?? null;
  if (host !== null) list.remove('host');
  const method = textOf(headers[':method']);
  const path = textOf(headers[':path']);
  const protocol = headers[':protocol'];
  const upgrade = method === 'CONNECT' && typeof protocol === 'string' ? protocol : null;
  const isConnect = method === 'CONNECT' && upgrade === null;
  const expectsContinue = list.get('expect')?.toLowerCase() === '100-continue';
  if (expectsContinue) list.remove('expect');
  return {
    method: upgrade === null ? method : 'GET',
    target: path,
    form: isConnect ? 'authority' : path === '*' ? 'asterisk' : 'origin',
    path,
    authority: textOf(headers[':authority']) || (host ?? ''),
    host,
    scheme: textOf(headers[':scheme']) || null,
    minorVersion: 1,
    headers: list,
    body: upgrade === null ? takeBody(list, isWhole) : 'none',
    keepAlive: true,
    expectsContinue,
    upgrade,
  };
}

/** A length is kept where it frames the body; nghttp2 checks it against the data by the time that the request ends. */
function takeBody(headers: HeaderList, isWhole: boolean): RequestHead['body'] {
  const text = headers.get('content-length');
  const length = text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
  if (isWhole) return length === null ? 'none' : 0;
  if (length !== null && length > 0) return length;
  // The end comes in a frame of its own: a length of zero is a body that is still to end.
  headers.remove('content-length');
  return 'chunked';
}

function textOf(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
