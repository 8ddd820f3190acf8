import { isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { connectTcp } from '@flotilla/sockets/tcp';
import { connectTls } from '@flotilla/sockets/tls';
import type { IdentitySource } from '@flotilla/spiffe';
import { DEFAULT_CIPHERS } from '../ciphers.ts';
import { compileServerCheck, type ExpectedServer } from './server-identity.ts';

export interface ClientTls extends ExpectedServer {
  /** Our certificate, read anew for each connection. Its roots verify the server unless `rootsPem` says otherwise. */
  readonly identity?: Pick<IdentitySource, 'current' | 'subscribe'>;
  /** Roots that verify the server. Without these and without an identity, the system's. */
  readonly rootsPem?: string | (() => string);
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Opens one connection to the origin of `url`; reads certificate and roots as they are now. */
export function compileConnect(url: URL, tls: ClientTls | undefined): () => Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  if (url.protocol === 'http:') return () => withTimeout(connectTcp({ host, port }, closeFollows), 'connect', url);
  const checkServerIdentity = compileServerCheck(tls ?? {});
  const serverName = tls?.serverName ?? host;
  return () => {
    const options: ConnectionOptions = {
      host,
      port,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      ciphers: DEFAULT_CIPHERS,
      checkServerIdentity,
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      ...credentialsOf(tls),
    };
    const socket = connectTls(options, closeFollows);
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol !== 'h2') {
        socket.destroy(new FlotillaError('unavailable', `${url.origin} does not speak HTTP/2`));
      }
    });
    return withTimeout(socket, 'secureConnect', url);
  };
}

function credentialsOf(tls: ClientTls | undefined): ConnectionOptions {
  const roots = typeof tls?.rootsPem === 'function' ? tls.rootsPem() : tls?.rootsPem;
  if (tls?.identity === undefined) return roots === undefined ? {} : { ca: roots };
  const certificate = tls.identity.current();
  if (certificate === null) throw new FlotillaError('unavailable', 'there is no certificate to connect with yet');
  return { cert: certificate.chainPem, key: certificate.privateKeyPem, ca: roots ?? certificate.rootsPem };
}

/** In all: a peer that sends a byte now and then is late too. */
function withTimeout<S extends Socket>(socket: S, connected: 'connect' | 'secureConnect', url: URL): S {
  const timer = systemClock.after(CONNECT_TIMEOUT_MS, () => {
    socket.destroy(new FlotillaError('unavailable', `${url.origin} did not answer in ${CONNECT_TIMEOUT_MS} ms`));
  });
  return socket.once(connected, () => timer.cancel()).once('close', () => timer.cancel());
}
