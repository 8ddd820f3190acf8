import type { PathSettings } from './manager-settings.ts';

/** A path in its one form, or that it is to be refused or redirected to that form. */
export type PathOutcome =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'reject' }
  | { readonly kind: 'redirect'; readonly path: string };

const REJECT: PathOutcome = { kind: 'reject' };

/** Whether `canonicalPath` could change or refuse this path at all; most need no work. */
export function needsWork(path: string, settings: PathSettings): boolean {
  if (path.charCodeAt(0) !== 0x2f) return true;
  if (path.includes('#')) return true;
  if (!settings.normalize && !settings.mergeSlashes && settings.escapedSlashes === 'keep') return false;
  return path.includes('%') || path.includes('/.') || path.includes('//') || path.includes('\\');
}

/**
 * Escaped slashes, then dot segments and percent-encoded unreserved characters (RFC 3986, section 6.2.2), then
 * repeated slashes: Envoy's order. The query is left alone. A fragment is refused: it never belongs on the wire.
 */
export function canonicalPath(pathWithQuery: string, settings: PathSettings): PathOutcome {
  if (pathWithQuery.charCodeAt(0) !== 0x2f || pathWithQuery.includes('#')) return REJECT;
  const query = pathWithQuery.indexOf('?');
  const rest = query === -1 ? '' : pathWithQuery.slice(query);
  let path = query === -1 ? pathWithQuery : pathWithQuery.slice(0, query);
  let isRedirect = false;
  if (settings.escapedSlashes !== 'keep' && /%(?:2f|5c)/i.test(path)) {
    if (settings.escapedSlashes === 'reject') return REJECT;
    isRedirect = settings.escapedSlashes === 'redirect';
    path = path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
  }
  if (settings.normalize) {
    const normalized = normalize(path);
    if (normalized === null) return REJECT;
    path = normalized;
  }
  // Of slashes alone two are left (Envoy).
  if (settings.mergeSlashes) path = /^\/{2,}$/.test(path) ? '//' : path.replace(/\/{2,}/g, '/');
  return isRedirect ? { kind: 'redirect', path: path + rest } : { kind: 'path', path: path + rest };
}

function normalize(path: string): string | null {
  if (/%00/.test(path)) return null;
  const decoded = path.replaceAll('\\', '/').replace(/%([0-9a-fA-F]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape;
  });
  const kept: string[] = [];
  const segments = decoded.split('/');
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === '..') {
      if (kept.length > 1) kept.pop();
      if (isLast) kept.push('');
    } else if (segment === '.') {
      if (isLast) kept.push('');
    } else kept.push(segment);
  });
  const joined = kept.join('/');
  return joined.startsWith('/') ? joined : `/${joined}`;
}
