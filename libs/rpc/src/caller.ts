import type { X509Certificate } from 'node:crypto';
import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { SpiffeId } from '@flotilla/spiffe';

/** What is known of the other end of a connection. */
export interface Peer {
  /** From the client certificate, which was verified against the trust bundle in the handshake. */
  readonly spiffeId: SpiffeId | null;
  /** The verified client certificate itself; it was valid when the connection was made. */
  readonly certificate: X509Certificate | null;
  /** The connection comes from this machine. */
  readonly isLoopback: boolean;
  /** The call came through `createInMemoryTransport`. */
  readonly inProcess: boolean;
}

/** Who makes a call, by its connection and by what it says of itself. */
export interface Caller extends Peer {
  /** The token of an `authorization: Bearer` header; not verified. */
  readonly bearerToken: string | null;
}

export const inProcessPeer: Peer = { spiffeId: null, certificate: null, isLoopback: true, inProcess: true };

const stranger: Peer = { spiffeId: null, certificate: null, isLoopback: false, inProcess: false };

/** Set by our own servers and transports. Where somebody else's adapter serves the routes, a caller is a stranger. */
export const peerKey = createContextKey<Peer>(stranger, { description: 'flotilla peer' });

/** Who makes this call. Facts only; whether they suffice is the handler's decision. */
export function callerOf(context: HandlerContext): Caller {
  return callerFrom(context.values.get(peerKey), context.requestHeader.get('authorization'));
}

/** Who makes a call of this `authorization` header over the connection of this peer. */
export function callerFrom(peer: Peer, authorization: string | null): Caller {
  return { ...peer, bearerToken: bearerTokenOf(authorization) };
}

function bearerTokenOf(header: string | null): string | null {
  return /^Bearer +([^\s]+)$/i.exec(header ?? '')?.[1] ?? null;
}
