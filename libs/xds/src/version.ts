import { createHash } from 'node:crypto';

/**
 * The version of a resource is a hash of its bytes, so every pilot, and the same pilot after a restart, calls
 * equal resources equal. 96 bits of SHA-256 as base64url: 16 characters.
 */
export function contentVersion(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest().subarray(0, 12).toString('base64url');
}

/** A version for a set of resources: equal exactly when names and versions are. Order does not matter. */
export function setVersion(versions: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const name of [...versions.keys()].sort())
    hash
      .update(name)
      .update('\0')
      .update(versions.get(name) ?? '')
      .update('\0');
  return hash.digest().subarray(0, 12).toString('base64url');
}
