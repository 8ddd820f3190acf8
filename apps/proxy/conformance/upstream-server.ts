import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import type { SecureVersion, TlsOptions } from 'node:tls';
import type { Certificates } from './certificates.ts';
import type { TlsSide } from './scenario.ts';

/** A scripted server that is running. */
export interface Upstream {
  readonly name: string;
  readonly port: number;
  /** What it saw, request by request. */
  seen(): readonly string[];
  /** Requests whose head has arrived, or TCP connections. */
  requests(): number;
  /** Gives the answers that were held back. */
  release(): void;
  close(): Promise<void>;
}

export async function listenLocally(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // it listens on TCP
}

/** Options of a TLS server. */
export function tlsOptions(tls: TlsSide, certificates: Certificates): TlsOptions {
  const certificate = certificates.get(tls.cert ?? 'upstream');
  if (certificate === undefined) throw new Error(`no certificate ${tls.cert}`);
  return {
    cert: certificate.chainPem,
    key: certificate.privateKeyPem,
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(tls.asks === true ? { requestCert: true, rejectUnauthorized: true, ca: certificate.rootPem } : {}),
    // The decoder takes any text; Node refuses what is no version.
    ...(tls.min === undefined ? {} : { minVersion: tls.min as SecureVersion }),
    ...(tls.max === undefined ? {} : { maxVersion: tls.max as SecureVersion }),
  };
}
