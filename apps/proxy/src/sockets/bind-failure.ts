import { FlotillaError, formatAddress, type SocketAddress } from '@flotilla/runtime';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'binding it is not permitted',
  EADDRNOTAVAIL: 'this host does not have the address',
};

/** Says which listener cannot be bound, where, and why. */
export function bindFailure(name: string, address: SocketAddress, thrown: unknown): FlotillaError {
  // What a server says when it cannot listen.
  const error = thrown as NodeJS.ErrnoException;
  const reason = REASONS[error.code ?? ''] ?? error.message;
  return new FlotillaError('system', `listener "${name}" cannot listen on ${formatAddress(address)}: ${reason}`, {
    cause: error,
    ...(error.code === 'EADDRINUSE' ? { hint: `See what holds it: ss -ltnp 'sport = :${address.port}'` } : {}),
  });
}
