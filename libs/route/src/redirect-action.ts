import { pathEnd } from '@flotilla/match';
import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectAction as RedirectProto,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { refuse } from '@flotilla/envoy';
import type { CompiledMatch } from './request-match.ts';
import { compilePrefixRewrite, compileRegexRewrite, type PathRewrite } from './rewrite.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { RedirectAction } from './route.ts';

const STATUS: Readonly<Record<Code, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
};

/** Compiles a redirect; the location is built as Envoy builds it. */
export function compileRedirect(proto: RedirectProto, matched: CompiledMatch['path'], path: string): RedirectAction {
  const { schemeRewriteSpecifier: schemeRule, hostRedirect } = proto;
  const newScheme =
    schemeRule.case === 'schemeRedirect'
      ? schemeRule.value
      : schemeRule.case === 'httpsRedirect' && schemeRule.value
        ? 'https'
        : '';
  const newPort = proto.portRedirect === 0 ? '' : `:${proto.portRedirect}`;
  const newPath = compileNewPath(proto, matched, path);
  return {
    kind: 'redirect',
    status: STATUS[proto.responseCode],
    location(request) {
      const scheme = newScheme === '' ? request.scheme : newScheme;
      const host = hostRedirect === '' ? requestHost(request, scheme, newPort) : hostRedirect;
      return `${scheme}://${host}${newPort}${newPath(request.path)}`;
    },
  };
}

/** The redirect of a virtual host that requires TLS. */
export const HTTPS_REDIRECT: RedirectAction = {
  kind: 'redirect',
  status: 301,
  location: (request) => `https://${request.authority}${request.path}`,
};

function compileNewPath(proto: RedirectProto, matched: CompiledMatch['path'], path: string): PathRewrite {
  const rule = proto.pathRewriteSpecifier;
  switch (rule.case) {
    case 'pathRedirect': {
      const target = rule.value;
      // A query in the new path takes the place of the request's, and stays whatever `strip_query` says.
      if (target.includes('?') || proto.stripQuery) return () => target;
      return (text) => target + queryOf(text);
    }
    case 'prefixRewrite':
      return stripped(compilePrefixRewrite(matched, rule.value), proto.stripQuery);
    case 'regexRewrite':
      return stripped(compileRegexRewrite(rule.value, `${path}.regex_rewrite`), proto.stripQuery);
    case 'pathRewrite':
      return refuse(`${path}.path_rewrite`, 'is not supported');
    case undefined:
      return stripped((text) => text, proto.stripQuery);
  }
}

function stripped(rewrite: PathRewrite, stripQuery: boolean): PathRewrite {
  if (!stripQuery) return rewrite;
  return (text) => {
    const rewritten = rewrite(text);
    return rewritten.slice(0, pathEnd(rewritten));
  };
}

function queryOf(path: string): string {
  const start = path.indexOf('?');
  return start === -1 ? '' : path.slice(start);
}

/** The request's host, without its port when the redirect brings one or leaves the port's own scheme. */
function requestHost(request: RoutableRequest, newScheme: string, newPort: string): string {
  const { authority } = request;
  const colon = authority.startsWith('[') ? authority.lastIndexOf(']:') + 1 : authority.lastIndexOf(':');
  if (colon <= 0) return authority;
  const port = authority.slice(colon);
  const isDefaultPort =
    newScheme !== request.scheme &&
    ((request.scheme === 'https' && port === ':443') || (request.scheme === 'http' && port === ':80'));
  return newPort !== '' || isDefaultPort ? authority.slice(0, colon) : authority;
}
