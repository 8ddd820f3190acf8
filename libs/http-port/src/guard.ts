import type { IncomingHttpHeaders } from 'node:http';
import { compileKnownHosts, hostNameOf } from './known-host.ts';

/** What the guard reads of a request, of either version of HTTP. */
export interface GuardedRequest {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders & { readonly ':authority'?: string | undefined };
}

/** Why a request is not answered, in words for whoever sent it; null when it is. */
export type Guard = (request: GuardedRequest) => string | null;

const HOST_HINT = 'Use the IP address or localhost, or make the name known with --http-hosts (FLOTILLA_HTTP_HOSTS).';
const PAGE_HINT = 'This port answers its own pages and programs such as curl, and no page of another origin.';

/**
 * Keeps web pages of other origins out: what a browser says by itself, and a page cannot change, is believed.
 *
 * - Host (`:authority`): a name that a stranger could make point here is refused (`compileKnownHosts`).
 * - Sec-Fetch-Site: only this origin, or a person at the address bar (`none`). From elsewhere only a person who follows
 *   a link: a GET that opens a page of its own, which the page it came from cannot read.
 * - Origin: only this one; browsers that send no Sec-Fetch-Site (plaintext that is not on loopback) send it with
 *   every POST.
 *
 * Programs send neither of the last two and are not concerned. `hosts` are names of this port beside those that are
 * known by themselves. Throws `invalid` for what is no name.
 */
export function compileGuard(hosts: readonly string[], ownName?: string): Guard {
  const isKnownHost = compileKnownHosts(hosts, ownName);
  return ({ method, headers }) => {
    const host = headers[':authority'] ?? headers.host;
    // HTTP/1.0 may have none, which no browser speaks.
    if (host !== undefined) {
      const name = hostNameOf(host);
      if (name === null) return `Host "${printable(host)}" is not a host name`;
      if (!isKnownHost(name)) return `Host "${printable(host)}" is not a name of this port. ${HOST_HINT}`;
    }
    const site = headers['sec-fetch-site'];
    const isOwnSite = site === undefined || site === 'same-origin' || site === 'none';
    if (!isOwnSite && !isVisit(method, headers)) return `the request is of a page elsewhere (${site}). ${PAGE_HINT}`;
    const { origin } = headers;
    if (origin !== undefined && !isOrigin(origin, host)) {
      return `the request is of a page of ${printable(origin)}. ${PAGE_HINT}`;
    }
    return null;
  };
}

/** A link that opens a page in a window of its own, not in a frame. */
function isVisit(method: string | undefined, headers: GuardedRequest['headers']): boolean {
  const isReading = method === 'GET' || method === 'HEAD';
  return isReading && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

/** Whether a page of this origin came from this port: the scheme may differ where TLS ends before us. */
function isOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: own } = new URL(origin);
  const asked = `${protocol}//${host}`;
  return own !== '' && URL.canParse(asked) && new URL(asked).host === own;
}

function printable(text: string): string {
  return text.slice(0, 256).replace(/[^\x20-\x7e]/g, '?');
}
