/** Suffix of Kubernetes service names unless the mesh says otherwise. */
export const DEFAULT_DOMAIN_SUFFIX = 'cluster.local';

/**
 * Makes a short host a full one, in the namespace of the resource that names it: `reviews` becomes
 * `reviews.default.svc.cluster.local`. As in Istio, a host with a dot in it, an address and the host `*` stand for
 * themselves.
 */
export function resolveHost(host: string, namespace: string, domainSuffix = DEFAULT_DOMAIN_SUFFIX): string {
  if (host === '' || host === '*' || /[.:]/.test(host)) return host;
  return `${host}.${namespace}.svc.${domainSuffix}`;
}

/** The full host of a Kubernetes Service. */
export function serviceHost(name: string, namespace: string, domainSuffix = DEFAULT_DOMAIN_SUFFIX): string {
  return `${name}.${namespace}.svc.${domainSuffix}`;
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/**
 * Whether every name that `host` stands for is also one of `pattern`. Either may be a wildcard (`*`, `*.example.com`):
 * `*.com` covers `*.example.com`, which covers `a.example.com`; a wildcard never covers its own bare suffix.
 */
export function hostCovers(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  if (!isWildcard(pattern)) return false;
  const suffix = pattern.slice(1);
  if (isWildcard(host)) return host.length > pattern.length && host.slice(1).endsWith(suffix);
  return host.length > suffix.length && host.endsWith(suffix);
}

/** Whether there is a name that both stand for. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostCovers(a, b) || hostCovers(b, a);
}

/**
 * Orders hosts from the most to the least specific: exact names before wildcards, longer before shorter, then by text
 * so that the order is total.
 */
export function compareSpecificity(a: string, b: string): number {
  const wildcards = Number(isWildcard(a)) - Number(isWildcard(b));
  if (wildcards !== 0) return wildcards;
  if (a.length !== b.length) return b.length - a.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The most specific of `patterns` that covers `host`, or `null`. */
export function mostSpecificMatch(host: string, patterns: Iterable<string>): string | null {
  let best: string | null = null;
  for (const pattern of patterns) {
    if (hostCovers(pattern, host) && (best === null || compareSpecificity(pattern, best) < 0)) best = pattern;
  }
  return best;
}
