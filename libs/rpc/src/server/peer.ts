import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { NodeRequest } from '@flotilla/http-port';
import { spiffeIdOfCertificate } from '@flotilla/spiffe';
import type { Peer } from '../caller.ts';

// One entry a connection: reading a certificate for each call would cost more than many calls do.
const peers = new WeakMap<object, Peer>();

/** What is known of the peer that sent this request. */
export function peerOf(request: NodeRequest): Peer {
  // An HTTP/2 request shows its socket through a proxy, made anew by each session.
  const connection = 'stream' in request ? (request.stream.session ?? request.stream) : request.socket;
  let peer = peers.get(connection);
  if (peer === undefined) {
    peer = peerOfSocket(request.socket);
    peers.set(connection, peer);
  }
  return peer;
}

function peerOfSocket(socket: Socket): Peer {
  const certificate = verifiedCertificateOf(socket);
  return {
    spiffeId: certificate === null ? null : spiffeIdOfCertificate(certificate),
    certificate,
    isLoopback: isLoopback(socket.remoteAddress),
    inProcess: false,
  };
}

function verifiedCertificateOf(socket: Socket): X509Certificate | null {
  // The proxy of an HTTP/2 session passes `instanceof` and the methods of the socket through.
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  return socket.getPeerX509Certificate() ?? null;
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(address);
}
