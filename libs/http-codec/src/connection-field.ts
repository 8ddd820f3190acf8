import { limit } from '@flotilla/runtime';
import type { HeaderList } from './header-list.ts';

/** What a `Connection` field says. */
export interface ConnectionOptions {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** Further fields that it nominates as hop-by-hop, lower-case. */
  readonly nominated: readonly string[];
}

const NONE: ConnectionOptions = { close: false, keepAlive: false, upgrade: false, nominated: [] };
const CLOSE: ConnectionOptions = { ...NONE, close: true };
const KEEP_ALIVE: ConnectionOptions = { ...NONE, keepAlive: true };
const UPGRADE: ConnectionOptions = { ...NONE, upgrade: true };

/** Reads a combined `Connection` value; null means no field. */
export function parseConnection(value: string | null): ConnectionOptions {
  if (value === null) return NONE;
  switch (value) {
    case 'keep-alive':
    case 'Keep-Alive':
      return KEEP_ALIVE;
    case 'close':
    case 'Close':
      return CLOSE;
    case 'upgrade':
    case 'Upgrade':
      return UPGRADE;
    default:
      break;
  }
  let close = false;
  let keepAlive = false;
  let upgrade = false;
  const nominated: string[] = [];
  for (const part of value.split(',')) {
    const token = part.trim().toLowerCase();
    if (token === 'close') close = true;
    else if (token === 'keep-alive') keepAlive = true;
    else if (token === 'upgrade') upgrade = true;
    else if (token !== '') nominated.push(token);
  }
  return { close, keepAlive, upgrade, nominated };
}

const MAX_NOMINATED = limit({
  name: 'http.nominated-fields',
  what: 'fields that `Connection` nominates for removal',
  default: 10,
  unit: 'count',
  past: '400',
});
// Envoy refuses the nomination of fields whose removal would hide who the client is or where it goes.
const KEPT = new Set(['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'host', 'content-length']);

/**
 * Removes the fields that `Connection` nominates (RFC 9110, section 7.6.1). False when it nominates one that must
 * stay, or too many: the message is to be refused.
 */
export function removeNominated(headers: HeaderList, nominated: readonly string[]): boolean {
  if (nominated.length > MAX_NOMINATED) return false;
  for (const name of nominated) {
    if (name.startsWith(':') || KEPT.has(name)) return false;
    if (name !== 'te') headers.remove(name);
  }
  return true;
}
