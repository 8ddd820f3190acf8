import { HeaderList, type RequestHead } from '@flotilla/http-codec';
import type { AcceptedConnection } from '../ports/accepted-connection.ts';
import * as replies from './local-reply.ts';
import type { LocalReply } from '../ports/local-reply.ts';
import type { ManagerSettings } from './manager-settings.ts';
import { canonicalPath, needsWork } from './path.ts';
import { prepareRequestHeaders } from './request-headers.ts';
import type { StreamInfo } from '@flotilla/stream';
import type { RoutableRequest } from '@flotilla/route';

/**
 * Checks a request's head and brings it into the form that routing sees: authority, path, headers. Returns the reply
 * to one that is refused, or null.
 */
export function prepareRequest(
  request: RoutableRequest,
  head: RequestHead,
  connection: AcceptedConnection,
  settings: ManagerSettings,
  info: StreamInfo,
): LocalReply | null {
  // An empty Host is one (RFC 9110, section 7.2).
  if (request.authority === '' && head.host === null) {
    if (head.minorVersion === 0 && settings.defaultHostForHttp10 !== '') {
      request.authority = settings.defaultHostForHttp10;
    } else return replies.missingHost;
  }
  if (!isAuthority(request.authority)) return replies.invalidAuthority;
  if (head.scheme !== null && head.scheme !== 'http' && head.scheme !== 'https') return replies.invalidScheme;
  if (settings.stripPort !== 'none' || settings.stripTrailingDot) stripAuthority(request, connection, settings);
  if (settings.underscores !== 'allow' && !checkUnderscores(request.headers, settings.underscores)) {
    return replies.underscoreInName;
  }
  if (head.form === 'asterisk') return replies.badAbsolutePath;
  if (head.form !== 'authority' && needsWork(request.path, settings.paths)) {
    const outcome = canonicalPath(request.path, settings.paths);
    if (outcome.kind === 'reject') return replies.badPath;
    request.path = outcome.path;
    if (outcome.kind === 'redirect') {
      return {
        status: 307,
        body: '',
        details: 'path_normalization_failed',
        flags: 0,
        headers: HeaderList.of({ location: outcome.path }),
      };
    }
  }
  const scheme = prepareRequestHeaders(request.headers, connection, settings, info);
  request.scheme = settings.edge.schemeToOverwrite === null ? (head.scheme ?? scheme) : scheme;
  return null;
}

/** Characters of an authority (RFC 3986, section 3.2): anything else could pose as the beginning of a path. */
function isAuthority(text: string): boolean {
  return /^[A-Za-z0-9\-._~!$&'()*+,;=:%@[\]]*$/.test(text);
}

function stripAuthority(request: RoutableRequest, connection: AcceptedConnection, settings: ManagerSettings): void {
  const match = /^(.*?)(?::(\d+))?$/.exec(request.authority);
  let host = match?.[1] ?? request.authority;
  const port = match?.[2];
  if (settings.stripTrailingDot && host.endsWith('.')) host = host.slice(0, -1);
  const { localAddress } = connection.info;
  const isMatching = port === localAddress.slice(localAddress.lastIndexOf(':') + 1);
  const isStripped = settings.stripPort === 'any' || (settings.stripPort === 'matching' && isMatching);
  request.authority = port === undefined || isStripped ? host : `${host}:${port}`;
}

/** False: a name with an underscore is there and the request is to be refused. */
function checkUnderscores(headers: HeaderList, action: 'reject' | 'drop'): boolean {
  const { flat } = headers;
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index] ?? '';
    if (!name.includes('_')) continue;
    if (action === 'reject') return false;
    headers.remove(name);
    index -= 2;
  }
  return true;
}
