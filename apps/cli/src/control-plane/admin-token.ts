import { randomBytes } from 'node:crypto';

/** A fresh token that allows changing the mesh, 256 random bits. */
export function createAdminToken(): string {
  return randomBytes(32).toString('base64url');
}
