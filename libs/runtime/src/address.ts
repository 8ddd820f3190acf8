import { FlotillaError } from './errors.ts';

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port` or `:port` (which means loopback). Throws `invalid`. */
export function parseAddress(text: string): SocketAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new FlotillaError('invalid', `"${text}" is not an address`, {
      hint: 'Write host:port, such as 127.0.0.1:15010 or [::1]:15010; port 0 takes any free port.',
    });
  }
  return { host: match[1] ?? (match[2] === '' || match[2] === undefined ? '127.0.0.1' : match[2]), port };
}

/** The inverse of `parseAddress`. */
export function formatAddress(address: SocketAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
