import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { FlotillaError } from '@flotilla/runtime';
import { subjectAltNamesOf } from '../downstream/peer-certificate.ts';
import type { CertificateSecret, SecretHolder, SecretStore } from '../identity/secret-store.ts';
import { coversDnsName, type TlsSettings } from './tls-settings.ts';
import {
  addressKey,
  connectOptions,
  type DialTarget,
  type PeerFacts,
  type SocketSettings,
  type Transport,
} from './transport.ts';

/**
 * TLS towards upstreams. One secure context for each version of the secrets; when a secret changes, new
 * connections use the new one and the pools let go of the old. The peer is judged here, not by Node: first the
 * chain, then the names, as Envoy does. `matchesServerName` also wants the certificate to cover the SNI.
 */
export function openTlsTransport(settings: TlsSettings, secrets: SecretStore, matchesServerName: boolean): Transport {
  return new TlsTransport(settings, secrets, matchesServerName);
}

class TlsTransport implements Transport {
  readonly name = 'tls';
  readonly readyEvent = 'secureConnect';
  readonly #settings: TlsSettings;
  readonly #matchesServerName: boolean;
  readonly #certificate: SecretHolder | null;
  readonly #trust: SecretHolder | null;
  readonly #listeners = new Set<() => void>();
  readonly #endings: (() => void)[] = [];
  /** Sessions to resume by target, of the present version only. */
  readonly #sessions = new Map<string, Buffer>();
  #version = 0;
  #context: SecureContext | null = null;

  constructor(settings: TlsSettings, secrets: SecretStore, matchesServerName: boolean) {
    this.#settings = settings;
    this.#matchesServerName = matchesServerName;
    const { certificate, peer } = settings;
    this.#certificate = certificate?.kind === 'secret' ? secrets.holder(certificate.name) : null;
    this.#trust = peer.trust?.kind === 'secret' ? secrets.holder(peer.trust.name) : null;
    for (const holder of [this.#certificate, this.#trust]) {
      if (holder !== null) this.#endings.push(holder.subscribe(() => this.#changed()));
    }
  }

  version(): number {
    return this.#version;
  }

  connect(target: DialTarget, socketSettings: SocketSettings, requestName: string | null): Socket {
    const serverName = this.#settings.serverName ?? requestName;
    const version = this.#version;
    const sessionKey = `${addressKey(target)} ${serverName ?? ''}`;
    const session = this.#sessions.get(sessionKey);
    const socket = connect({
      ...connectOptions(target, socketSettings),
      secureContext: this.#secureContext(),
      ALPNProtocols: [...this.#settings.alpn],
      // Node would send the address as SNI otherwise; an IP address is never sent (RFC 6066).
      servername: serverName === null || isIP(serverName) !== 0 ? '' : serverName,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(session === undefined ? {} : { session }),
    });
    if (this.#settings.reusesSessions) {
      // Offered once: a server that stumbles over it gets a full handshake the next time.
      this.#sessions.delete(sessionKey);
      socket.on('session', (fresh: Buffer) => {
        if (version === this.#version && !socket.destroyed) this.#sessions.set(sessionKey, fresh);
      });
    }
    return socket;
  }

  verify(socket: Socket, requestName: string | null): PeerFacts | string {
    if (!(socket instanceof TLSSocket)) return 'TLS_error: the connection is not a TLS connection';
    const { peer } = this.#settings;
    const hasTrust = peer.trust !== null && !peer.acceptUntrusted;
    if (hasTrust && !socket.authorized) {
      // @types/node says Error; for a failed chain it is OpenSSL's code as text.
      const reason: unknown = socket.authorizationError;
      return `TLS_error: certificate verify failed: ${reason instanceof Error ? reason.message : String(reason)}`;
    }
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return 'TLS_error: the server showed no certificate';
    const names = subjectAltNamesOf(certificate);
    if (peer.sans !== null && !peer.sans.matches(names)) {
      return `TLS_error: certificate verify failed: SAN matcher: ${certificate.subjectAltName ?? 'no name'} is not ${peer.sans.text}`;
    }
    if (this.#matchesServerName && requestName !== null && !names.dns.some((san) => coversDnsName(san, requestName))) {
      return `TLS_error: certificate verify failed: SAN matcher: ${certificate.subjectAltName ?? 'no name'} is not exact ${requestName}`;
    }
    const { certificateHashes, publicKeyHashes } = peer;
    if (certificateHashes.size + publicKeyHashes.size > 0) {
      const isPinned =
        certificateHashes.has(sha256(certificate.raw, 'hex')) ||
        publicKeyHashes.has(sha256(certificate.publicKey.export({ type: 'spki', format: 'der' }), 'base64'));
      if (!isPinned) return 'TLS_error: certificate verify failed: neither its hash nor its key is pinned';
    }
    // A name of an unverified certificate is only a claim.
    return { uriSan: hasTrust ? (names.uri[0] ?? null) : null };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const end of this.#endings.splice(0)) end();
    this.#listeners.clear();
    this.#sessions.clear();
  }

  #changed(): void {
    this.#version += 1;
    this.#context = null;
    this.#sessions.clear();
    for (const listener of this.#listeners) listener();
  }

  #secureContext(): SecureContext {
    this.#context ??= createSecureContext({
      ...this.#settings.parameters,
      ...this.#keyPair(),
      ...this.#anchors(),
    });
    return this.#context;
  }

  #keyPair(): { readonly cert?: string; readonly key?: string } {
    const { certificate } = this.#settings;
    if (certificate === null) return {};
    const secret = certificate.kind === 'fixed' ? certificate.value : certificateIn(this.#certificate);
    return { cert: secret.chainPem, key: secret.privateKeyPem };
  }

  #anchors(): { readonly ca: string[]; readonly crl?: string; readonly allowPartialTrustChain: true } {
    const { trust, crlPem } = this.#settings.peer;
    // An empty list, because without one Node would trust the public roots.
    const ca = trust === null ? [] : [trust.kind === 'fixed' ? trust.value : anchorsIn(this.#trust)];
    return { ca, allowPartialTrustChain: true, ...(crlPem === null ? {} : { crl: crlPem }) };
  }
}

function certificateIn(holder: SecretHolder | null): CertificateSecret {
  const secret = holder?.current() ?? null;
  if (secret?.kind === 'certificate') return secret;
  throw new FlotillaError('unavailable', `secret "${holder?.name ?? ''}" is not supplied yet`);
}

function anchorsIn(holder: SecretHolder | null): string {
  const secret = holder?.current() ?? null;
  if (secret?.kind === 'validation') return secret.trustedCaPem;
  throw new FlotillaError('unavailable', `secret "${holder?.name ?? ''}" is not supplied yet`);
}

function sha256(data: Buffer, encoding: 'hex' | 'base64'): string {
  return createHash('sha256').update(data).digest(encoding);
}
