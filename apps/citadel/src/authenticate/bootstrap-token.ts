import { createHash, createPublicKey, randomUUID, sign, verify, type KeyObject } from 'node:crypto';
import { FlotillaError, type Clock, limit } from '@flotilla/runtime';
import { formatSpiffeId, type SpiffeId } from '@flotilla/spiffe';

/**
 * Bootstrap tokens: JWTs (RFC 7519) signed with ES256 by citadel's token key, so that every replica with that key can
 * check them and a restart forgets none. One names exactly one namespace and service account.
 */
export interface BootstrapTokens {
  /** Throws `invalid` for a lifetime over a year, or names that no identity can have. */
  create(id: SpiffeId, ttlMs: number): { readonly token: string; readonly expiresAtMs: number };
  /** Whose token this is. Throws `unauthenticated` with the reason. */
  verify(token: string): SpiffeId;
}

const ISSUER = 'flotilla-citadel';
const MAX_TOKEN_BYTES = limit({
  name: 'citadel.token-bytes',
  what: 'bootstrap token of a caller',
  default: 4096,
  unit: 'bytes',
  past: 'refused as unauthenticated',
});
const MAX_TTL_MS = limit({
  name: 'citadel.token-lifetime',
  what: 'lifetime that a bootstrap token can be made with',
  default: 366 * 24 * 3_600_000,
  unit: 'ms',
  past: 'refused as invalid',
});
/** How far the clocks of two replicas may differ. */
const SKEW_MS = 60_000;

export function createBootstrapTokens(privateKey: KeyObject, trustDomain: string, clock: Clock): BootstrapTokens {
  const publicKey = createPublicKey(privateKey);
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
  const header = encode({ alg: 'ES256', typ: 'JWT', kid: keyId });
  return {
    create(id, ttlMs) {
      if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
        throw new FlotillaError('invalid', `a token lifetime of ${ttlMs} ms is not possible`, {
          hint: 'Ask for more than nothing and at most 366 days.',
        });
      }
      const nowMs = clock.now();
      const expiresAtMs = Math.ceil((nowMs + ttlMs) / 1000) * 1000;
      const claims: Claims = {
        iss: ISSUER,
        sub: formatSpiffeId(id),
        namespace: id.namespace,
        serviceAccount: id.serviceAccount,
        iat: Math.floor(nowMs / 1000),
        exp: expiresAtMs / 1000,
        jti: randomUUID(),
      };
      const signed = `${header}.${encode(claims)}`;
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return { token: `${signed}.${signature.toString('base64url')}`, expiresAtMs };
    },
    verify(token) {
      if (token.length > MAX_TOKEN_BYTES) throw refusal('it is too long');
      const parts = token.split('.');
      const [head, body, signature] = parts;
      if (head === undefined || body === undefined || signature === undefined || parts.length !== 3) {
        throw refusal('it is not a JWT');
      }
      // The only header that citadel writes: no choice of algorithm or key is left to the sender.
      if (head !== header) throw refusal('it was not signed with the key of this citadel');
      const bytes = Buffer.from(signature, 'base64url');
      // Node takes `+` for `-` and `/` for `_`, too: a token has one form (RFC 7515, section 2).
      if (bytes.toString('base64url') !== signature) throw refusal('its signature is wrong');
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
      if (bytes.length !== 64 || !verify('sha256', Buffer.from(`${head}.${body}`), key, bytes)) {
        throw refusal('its signature is wrong');
      }
      const claims = decodeClaims(body);
      if (claims === null || claims.iss !== ISSUER) throw refusal('its claims are not those of a bootstrap token');
      if (claims.exp * 1000 <= clock.now()) throw refusal(`it expired on ${new Date(claims.exp * 1000).toISOString()}`);
      if (claims.iat * 1000 > clock.now() + SKEW_MS) throw refusal('it was issued in the future');
      const id = { trustDomain, namespace: claims.namespace, serviceAccount: claims.serviceAccount };
      if (claims.sub !== formatSpiffeId(id)) throw refusal(`it is for ${claims.sub}, of another trust domain`);
      return id;
    },
  };
}

interface Claims {
  readonly iss: string;
  /** The SPIFFE ID. */
  readonly sub: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly jti: string;
}

function refusal(why: string): FlotillaError {
  return new FlotillaError('unauthenticated', `the bootstrap token is refused: ${why}`, {
    hint: 'Make a new one with: flotilla token',
  });
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decodeClaims(body: string): Claims | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
  return isClaims(value) ? value : null;
}

function isClaims(value: unknown): value is Claims {
  if (typeof value !== 'object' || value === null) return false;
  const claims = value as Readonly<Record<string, unknown>>; // an object: any property may be asked for
  return (
    ['iss', 'sub', 'namespace', 'serviceAccount', 'jti'].every((name) => typeof claims[name] === 'string') &&
    ['iat', 'exp'].every((name) => Number.isSafeInteger(claims[name]))
  );
}
