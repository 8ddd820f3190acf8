import type { Logger } from '@flotilla/observe';
import { type Clock, formatAddress, type SocketAddress } from '@flotilla/runtime';
import { closeFollows, logged } from '@flotilla/sockets/errors';
import type { HttpServerOwner } from '@flotilla/sockets/http';
import type { Http2ServerOwner } from '@flotilla/sockets/http2';
import type { TlsServerOwner } from '@flotilla/sockets/tls';

/** Who hears of a server's errors, and how long its clients may stand still. */
export type ServerOwner = HttpServerOwner & Http2ServerOwner & Omit<TlsServerOwner, 'onHandshakeError'>;

// A client that stands still or is cut off is let go of after the sum of both, with all that it was sent.
const KEEP_ALIVE = { intervalMs: 30_000, timeoutMs: 10_000 };

/** What a client breaks is an end of its connection; what the listener itself cannot do is logged. */
export function ownerOf(address: SocketAddress, logger: Logger, clock: Clock): ServerOwner {
  return {
    onError: logged(logger, `accepting on ${formatAddress(address)}`),
    onSocketError: closeFollows,
    onMessageError: closeFollows,
    onSessionError: closeFollows,
    keepAlive: { ...KEEP_ALIVE, clock },
  };
}
