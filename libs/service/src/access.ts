import { createHash, timingSafeEqual } from 'node:crypto';
import type { Caller } from '@flotilla/rpc/server';
import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId } from '@flotilla/spiffe';

export interface AdminPolicyOptions {
  /** Its bearer is an administrator; null: no token is. */
  readonly adminToken: string | null;
  /** SPIFFE IDs of administrators, proved by client certificate. */
  readonly admins: readonly string[];
  /** For the operator whose call is refused. */
  readonly hint?: string;
}

/**
 * Who may administrate: the parts of this process, whoever has the admin token, and the identities named. Returns a
 * check that throws `unauthenticated` for a caller that proved nothing (or a wrong token), `forbidden` for another identity.
 */
export function compileAdminPolicy(options: AdminPolicyOptions): (caller: Caller) => void {
  const { adminToken, hint = 'Pass the admin token: --token, or FLOTILLA_ADMIN_TOKEN_FILE.' } = options;
  const expected = adminToken === null ? null : digest(adminToken);
  const admins = new Set(options.admins);
  return ({ inProcess, bearerToken, spiffeId }) => {
    if (inProcess) return;
    // A token that is shown must hold, whatever the certificate says.
    if (bearerToken !== null) {
      if (expected !== null && timingSafeEqual(digest(bearerToken), expected)) return;
      throw new FlotillaError('unauthenticated', 'the admin token is not that of this mesh', { hint });
    }
    if (spiffeId === null) {
      throw new FlotillaError('unauthenticated', 'this needs the admin token or the certificate of an administrator', {
        hint,
      });
    }
    const id = formatSpiffeId(spiffeId);
    if (!admins.has(id)) throw new FlotillaError('forbidden', `${id} is no administrator`, { hint });
  };
}

/** Whether a check that throws, such as that of `compileAdminPolicy`, lets a caller pass. */
export function passes(check: (caller: Caller) => void): (caller: Caller) => boolean {
  return (caller) => {
    try {
      check(caller);
      return true;
    } catch {
      // Why not is told where the call is answered.
      return false;
    }
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
