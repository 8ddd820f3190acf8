import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

/** An id for this process that no other pilot has, now or later: a successor on this host must not pass for it. */
export function createPilotId(): string {
  return `${hostname()}-${randomBytes(4).toString('hex')}`;
}
