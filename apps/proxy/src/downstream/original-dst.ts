import type { Socket } from 'node:net';
import type { Destination } from './accepted-connection.ts';

/**
 * Where a redirected connection was going before the firewall turned it here. Node has no call for
 * SO_ORIGINAL_DST, so the answer is the address that the socket was accepted on, which is right for connections
 * that were not redirected. Null when the socket is gone already.
 */
export function readOriginalDestination(socket: Socket): Destination | null {
  const { localAddress, localPort } = socket;
  return localAddress === undefined || localPort === undefined ? null : { host: localAddress, port: localPort };
}
