import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Caller } from '@flotilla/rpc';
import { FlotillaError } from '@flotilla/runtime';

/** A fresh token that allows changing the mesh, 256 random bits. */
export function createAdminToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Who may write in the embedded mesh: the services in this process, and whoever has the admin token. Reading
 * is open, as the API listens on loopback only. Throws `unauthenticated`.
 */
export function compileAdminPolicy(adminToken: string): (caller: Caller) => void {
  const expected = digest(adminToken);
  return (caller) => {
    if (caller.inProcess) return;
    if (caller.bearerToken !== null && timingSafeEqual(digest(caller.bearerToken), expected)) return;
    throw new FlotillaError('unauthenticated', 'changing the mesh needs its admin token', {
      hint: 'The command line finds it by itself when it runs as the user who started the mesh; otherwise pass --token.',
    });
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
