import type { IncomingMessage } from 'node:http';

const COOKIE = 'session';
// The name travels on as a header, so it must be fit for one.
const USER_NAME = /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/;

/** Whether a name can be signed in: 1 to 64 printable ASCII characters without spaces at the ends. */
export function isUserName(name: string): boolean {
  return USER_NAME.test(name);
}

/** The signed-in user, or `null`. */
export function sessionUser(request: IncomingMessage): string | null {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, value = ''] = pair.trim().split('=', 2);
    if (name !== COOKIE) continue;
    const user = Buffer.from(value, 'base64url').toString('utf8');
    if (isUserName(user)) return user;
  }
  return null;
}

/**
 * `set-cookie` for a user who signs in. The cookie holds the name, unsigned: any password is let in, so a forged cookie
 * gains nothing, and every replica understands it.
 */
export function openSessionCookie(user: string): string {
  return `${COOKIE}=${Buffer.from(user).toString('base64url')}; Path=/; HttpOnly; SameSite=Lax`;
}

/** `set-cookie` for signing out. */
export function closeSessionCookie(): string {
  return `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`;
}
