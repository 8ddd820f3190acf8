import { type BootstrapClaims, MAX_TOKEN_TTL_MS } from './bootstrap-token.ts';

/** What is remembered of a bootstrap token: how it was made, who used it, whether it still holds. No secret. */
export interface TokenRecord {
  readonly id: string;
  /** `''` for one that was revoked before it was known. */
  readonly spiffeId: string;
  /** `''`: any of the service account. */
  readonly workload: string;
  /** How many keys may use it; 0 for any number. */
  readonly uses: number;
  /** Digests of the keys that did, as far as their number is limited. */
  readonly keys: readonly string[];
  /** How many keys did. Of a token without a limit, whether it was used at all: 0 or 1. */
  readonly used: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly lastUsedAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** Until then it is remembered. */
  readonly keepUntilMs: number;
}

/** The limits of what is remembered, and for how long. */
export interface TokenLimits {
  /** Longest lifetime of a certificate: so long a revoked token is remembered, for those that go back to it. */
  readonly maxCertificateTtlMs: number;
  /** How far the clocks of replicas may differ. */
  readonly skewMs: number;
}

export type UseVerdict =
  /** `record`: what is to be remembered before the certificate is given; `null`: nothing new. */
  | { readonly verdict: 'granted'; readonly record: TokenRecord | null }
  | { readonly verdict: 'used-up' }
  | { readonly verdict: 'revoked' };

/** The record of a token as it is made. */
export function freshRecord(claims: BootstrapClaims, limits: TokenLimits): TokenRecord {
  return {
    id: claims.id,
    spiffeId: claims.spiffeId,
    workload: claims.workload,
    uses: claims.uses,
    keys: [],
    used: 0,
    createdAtMs: claims.issuedAtMs,
    expiresAtMs: claims.expiresAtMs,
    lastUsedAtMs: null,
    revokedAtMs: null,
    keepUntilMs: claims.expiresAtMs + limits.skewMs,
  };
}

/**
 * Whether a key may have a certificate by a token. A token is used by keys and not by requests: the holder of a key that
 * had one may ask again, as it does when an answer got lost. `known` is `null` for a token that was made elsewhere, with
 * the same token key, and is seen for the first time.
 */
export function decideUse(
  known: TokenRecord | null,
  claims: BootstrapClaims,
  key: string,
  nowMs: number,
  limits: TokenLimits,
): UseVerdict {
  const record = known ?? freshRecord(claims, limits);
  if (record.revokedAtMs !== null) return { verdict: 'revoked' };
  if (claims.uses === 0) {
    if (record.used > 0) return { verdict: 'granted', record: null };
    return { verdict: 'granted', record: { ...record, used: 1, lastUsedAtMs: nowMs } };
  }
  if (record.keys.includes(key)) return { verdict: 'granted', record: null };
  if (record.keys.length >= claims.uses) return { verdict: 'used-up' };
  const keys = [...record.keys, key];
  return { verdict: 'granted', record: { ...record, keys, used: keys.length, lastUsedAtMs: nowMs } };
}

/** The record of a token that holds no more, from now on. */
export function revokedRecord(known: TokenRecord | null, id: string, nowMs: number, limits: TokenLimits): TokenRecord {
  const rememberMs = nowMs + limits.maxCertificateTtlMs + limits.skewMs;
  if (known !== null) {
    if (known.revokedAtMs !== null) return known;
    return { ...known, revokedAtMs: nowMs, keepUntilMs: Math.max(known.keepUntilMs, rememberMs) };
  }
  return {
    ...{ id, spiffeId: '', workload: '', uses: 0, keys: [], used: 0 },
    ...{ createdAtMs: nowMs, expiresAtMs: 0, lastUsedAtMs: null, revokedAtMs: nowMs },
    // Nothing is known of it: it may hold for as long as any token does.
    keepUntilMs: Math.max(rememberMs, nowMs + MAX_TOKEN_TTL_MS),
  };
}

/** A record as one line of text. */
export function encodeRecord(record: TokenRecord): string {
  return JSON.stringify(record);
}

/** `null` for a text that is none. */
export function decodeRecord(text: string): TokenRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isRecord(value) ? value : null;
}

function isRecord(value: unknown): value is TokenRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>; // an object: any property may be asked for
  const isTime = (name: string) => fields[name] === null || Number.isFinite(fields[name]);
  const { keys } = fields;
  return (
    ['id', 'spiffeId', 'workload'].every((name) => typeof fields[name] === 'string') &&
    ['uses', 'used', 'createdAtMs', 'expiresAtMs', 'keepUntilMs'].every((name) => Number.isFinite(fields[name])) &&
    ['lastUsedAtMs', 'revokedAtMs'].every(isTime) &&
    Array.isArray(keys) &&
    keys.every((key) => typeof key === 'string')
  );
}
