import { FlotillaError } from '@flotilla/runtime';
import { lowerAscii } from './string-matcher.ts';

interface Wildcard<T> {
  readonly text: string;
  readonly value: T;
}

/** Finds the value whose domain fits a host; null for none. */
export type DomainLookup<T> = (host: string) => T | null;

/**
 * Builds a look-up over domains in Envoy's search order: exact, `*.suffix` by falling length, `prefix.*` by
 * falling length, `*`. A wildcard stands for at least one character. Case does not matter. Ports are compared
 * as they stand: strip them before (`hostWithoutPort`). Throws `invalid` for a domain given twice or malformed.
 */
export function compileDomainTable<T>(entries: Iterable<readonly [domain: string, value: T]>): DomainLookup<T> {
  const exact = new Map<string, T>();
  const suffixes = new Map<string, T>();
  const prefixes = new Map<string, T>();
  let fallback: { readonly value: T } | null = null;
  for (const [domain, value] of entries) {
    const text = lowerAscii(domain);
    if (text === '*') {
      if (fallback !== null) throw duplicate(domain);
      fallback = { value };
    } else if (text.startsWith('*')) addUnique(suffixes, text.slice(1), value, domain);
    else if (text.endsWith('*')) addUnique(prefixes, text.slice(0, -1), value, domain);
    else addUnique(exact, text, value, domain);
  }
  const bySuffix = byFallingLength(suffixes);
  const byPrefix = byFallingLength(prefixes);
  const otherwise = fallback === null ? null : fallback.value;
  if (exact.size === 0 && bySuffix.length === 0 && byPrefix.length === 0) return () => otherwise;
  return (host) => {
    const known = exact.get(host);
    if (known !== undefined) return known;
    const text = lowerAscii(host);
    const lowered = text === host ? undefined : exact.get(text);
    if (lowered !== undefined) return lowered;
    for (const wildcard of bySuffix) {
      if (text.length > wildcard.text.length && text.endsWith(wildcard.text)) return wildcard.value;
    }
    for (const wildcard of byPrefix) {
      if (text.length > wildcard.text.length && text.startsWith(wildcard.text)) return wildcard.value;
    }
    return otherwise;
  };
}

/** Cuts a port off: `a.b:80` gives `a.b`, `[::1]:80` gives `[::1]`; other texts stay as they are. */
export function hostWithoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  if (colon === -1) return host;
  const bracket = host.lastIndexOf(']');
  // An IPv6 address without brackets holds further colons and no port.
  if (bracket > colon || (bracket === -1 && host.indexOf(':') !== colon)) return host;
  return /^\d*$/.test(host.slice(colon + 1)) ? host.slice(0, colon) : host;
}

function addUnique<T>(table: Map<string, T>, key: string, value: T, domain: string): void {
  if (table.has(key)) throw duplicate(domain);
  if (key === '' || key.includes('*')) throw new FlotillaError('invalid', `"${domain}" is not a domain`);
  table.set(key, value);
}

function duplicate(domain: string): FlotillaError {
  return new FlotillaError('invalid', `domain "${domain}" is given twice`, { hint: 'Domains are unique in a table.' });
}

function byFallingLength<T>(table: ReadonlyMap<string, T>): readonly Wildcard<T>[] {
  return [...table].map(([text, value]) => ({ text, value })).sort((a, b) => b.text.length - a.text.length);
}
