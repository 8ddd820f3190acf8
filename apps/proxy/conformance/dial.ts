import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type SecureVersion, type TLSSocket } from 'node:tls';
import type { ClientWorld } from './client-connection.ts';
import type { Connect, TlsSide } from './scenario.ts';

/** A TLS handshake that failed; it has been noted. */
export class TlsRefused extends Error {}

/** Opens a client's connection. Rejects with `TlsRefused` when TLS does not come about. */
export async function dial(
  world: ClientWorld,
  { tls, before }: Connect,
  note: (text: string) => void,
): Promise<Socket> {
  const socket = connectTcp({ port: world.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  socket.on('error', () => undefined);
  // A proxy that refuses the connection may reset it before it is known to be there.
  await Promise.race([once(socket, 'connect'), new Promise((resolve) => socket.once('close', resolve))]).catch(
    () => undefined,
  );
  if (before !== '') socket.write(world.fill(before), 'latin1');
  return tls === null ? socket : await secure(socket, tls, world, note);
}

async function secure(socket: Socket, tls: TlsSide, world: ClientWorld, note: (text: string) => void): Promise<Socket> {
  const certificate = tls.cert === undefined ? undefined : world.certificates.get(tls.cert);
  if (tls.cert !== undefined && certificate === undefined) throw new Error(`no certificate ${tls.cert}`);
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    socket,
    allowHalfOpen: true,
    rejectUnauthorized: false,
    ...(tls.sni === undefined || tls.sni === '' ? {} : { servername: world.fill(tls.sni) }),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(certificate === undefined ? {} : { cert: certificate.chainPem, key: certificate.privateKeyPem }),
    // The decoder takes any text; Node refuses what is no version.
    ...(tls.min === undefined ? {} : { minVersion: tls.min as SecureVersion }),
    ...(tls.max === undefined ? {} : { maxVersion: tls.max as SecureVersion }),
  };
  const secured = connectTls(options);
  secured.once('secureConnect', () => resolve(secured));
  const refuse = (): void => {
    note('[TLS refused]');
    reject(new TlsRefused());
  };
  secured.once('error', refuse);
  secured.once('close', refuse);
  await promise;
  secured.removeListener('error', refuse);
  secured.removeListener('close', refuse);
  secured.on('error', () => undefined);
  const alpn = secured.alpnProtocol === false ? '-' : secured.alpnProtocol;
  note(`[${secured.getProtocol()} alpn=${alpn} ${secured.getPeerCertificate().subjectaltname ?? ''}]`);
  return secured;
}
