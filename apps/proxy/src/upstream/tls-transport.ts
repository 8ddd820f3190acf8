import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { type Clock, FlotillaError } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { connectTcp } from '@flotilla/sockets/tcp';
import { connectTls } from '@flotilla/sockets/tls';
import { svidFault } from '@flotilla/spiffe';
import { Certificate } from '../tls/certificate.ts';
import type { CertificateSecret, SecretHolder, SecretStore } from '../ports/secret-store.ts';
import type { Counter, StatsRegistry } from '../base/stats.ts';
import { coversDnsName, type TlsSettings } from './tls-settings.ts';
import { addressKey, connectOptions, type Opening, type SocketSettings, type Transport } from './transport.ts';
import type { DialTarget } from '@flotilla/cluster';
import type { PeerFacts } from '../ports/upstream-connection-facts.ts';

/**
 * TLS towards upstreams. One secure context for each version of the secrets; when a secret changes, new
 * connections use the new one and the pools let go of the old. The peer is judged here, not by Node: first the
 * chain, then the names, as Envoy does. `matchesServerName` also wants the certificate to cover the SNI.
 */
export function openTlsTransport(
  settings: TlsSettings,
  secrets: SecretStore,
  clock: Clock,
  stats: TlsClientStats,
  matchesServerName: boolean,
  proxyVersion: Transport['proxyVersion'],
): Transport {
  return new TlsTransport(settings, secrets, clock, stats, matchesServerName, proxyVersion);
}

/** Handshakes of a cluster, and why they failed, under Envoy's names. */
export interface TlsClientStats {
  readonly handshake: Counter;
  readonly failVerifyError: Counter;
  readonly failVerifySan: Counter;
  readonly failVerifyHash: Counter;
}

export function tlsClientStats(registry: StatsRegistry, prefix: string): TlsClientStats {
  return {
    handshake: registry.counter(`${prefix}ssl.handshake`),
    failVerifyError: registry.counter(`${prefix}ssl.fail_verify_error`),
    failVerifySan: registry.counter(`${prefix}ssl.fail_verify_san`),
    failVerifyHash: registry.counter(`${prefix}ssl.fail_verify_cert_hash`),
  };
}

type Verdict = PeerFacts | { readonly counter: keyof TlsClientStats; readonly reason: string };

/**
 * A session of a peer that was verified. A resumed handshake proves that it is the same peer, but shows no
 * certificate: what was learned from it is kept beside.
 */
interface SavedSession {
  readonly session: Buffer;
  readonly facts: PeerFacts;
  readonly notAfterMs: number;
}

/** A connection whose first bytes are these; TLS follows them. */
function begunWith(before: Buffer, target: DialTarget, settings: SocketSettings): Socket {
  const socket = connectTcp(connectOptions(target, settings, null), closeFollows);
  socket.write(before);
  return socket;
}

class TlsTransport implements Transport {
  readonly name = 'tls';
  readonly proxyVersion: 0 | 1 | 2;
  readonly readyEvent = 'secureConnect';
  readonly #settings: TlsSettings;
  readonly #clock: Clock;
  readonly #stats: TlsClientStats;
  readonly #matchesServerName: boolean;
  readonly #certificate: SecretHolder | null;
  readonly #trust: SecretHolder | null;
  readonly #listeners = new Set<() => void>();
  readonly #endings: (() => void)[] = [];
  /** Sessions to resume by target and SNI, of the present version only. */
  readonly #sessions = new Map<string, SavedSession>();
  /** What was offered on which connection. */
  readonly #offered = new WeakMap<Socket, SavedSession>();
  #version = 0;
  #context: SecureContext | null = null;
  /** The certificate of the context. */
  #own: Certificate | null = null;

  constructor(
    settings: TlsSettings,
    secrets: SecretStore,
    clock: Clock,
    stats: TlsClientStats,
    matchesServerName: boolean,
    proxyVersion: 0 | 1 | 2,
  ) {
    this.proxyVersion = proxyVersion;
    this.#stats = stats;
    this.#settings = settings;
    this.#clock = clock;
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

  connect(
    target: DialTarget,
    socketSettings: SocketSettings,
    { serverName: requestName, alpn, before, reader }: Opening,
  ): Socket {
    const serverName = this.#settings.serverName ?? requestName;
    const protocols = this.#settings.alpn.length > 0 ? this.#settings.alpn : alpn;
    const sessionKey = `${addressKey(target)} ${serverName ?? ''} ${protocols.join()}`;
    const saved = this.#takeSession(sessionKey);
    const options = {
      ...(before === null
        ? connectOptions(target, socketSettings, reader)
        : { socket: begunWith(before, target, socketSettings) }),
      secureContext: this.#secureContext(),
      ALPNProtocols: [...protocols],
      // Node would send the address as SNI otherwise; an IP address is never sent (RFC 6066).
      servername: serverName === null || isIP(serverName) !== 0 ? '' : serverName,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(saved === null ? {} : { session: saved.session }),
    };
    const socket = connectTls(options, closeFollows);
    // TLS over a socket that is there already knows no `onread`.
    if (before !== null && reader !== null) socket.on('data', (bytes: Buffer) => reader.onBytes(bytes));
    if (saved !== null) this.#offered.set(socket, saved);
    if (this.#settings.reusesSessions) this.#saveSessions(socket, sessionKey, requestName);
    return socket;
  }

  verify(socket: Socket, requestName: string | null): PeerFacts | string {
    const verdict = this.#judge(socket, requestName);
    if (!('reason' in verdict)) {
      this.#stats.handshake.value += 1;
      return verdict;
    }
    this.#stats[verdict.counter].value += 1;
    return `TLS_error: ${verdict.reason}`;
  }

  #judge(socket: Socket, requestName: string | null): Verdict {
    if (!(socket instanceof TLSSocket)) return unverified('failVerifyError', 'the connection is not a TLS connection');
    const alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null;
    const settled = { version: socket.getProtocol() ?? '', cipher: socket.getCipher().name, own: this.#own };
    if (socket.isSessionReused()) {
      const facts = this.#offered.get(socket)?.facts;
      return facts === undefined
        ? unverified('failVerifyError', 'the server resumed a session that was not offered')
        : { ...facts, alpn, tls: { ...settled, peer: facts.tls?.peer ?? null } };
    }
    const { peer } = this.#settings;
    const hasTrust = peer.trust !== null && !peer.acceptUntrusted;
    if (hasTrust && !socket.authorized) {
      // @types/node says Error; for a failed chain it is OpenSSL's code as text.
      const reason: unknown = socket.authorizationError;
      const text = reason instanceof Error ? reason.message : String(reason);
      return unverified('failVerifyError', `certificate verify failed: ${text}`);
    }
    const shown = socket.getPeerX509Certificate();
    if (shown === undefined) return unverified('failVerifyError', 'the server showed no certificate');
    const fault = hasTrust ? svidFault(shown) : null;
    if (fault !== null) {
      const name = shown.subjectAltName ?? '';
      return unverified('failVerifyError', `certificate verify failed: ${name} is no SPIFFE identity: ${fault}`);
    }
    const certificate = new Certificate(shown);
    const { names } = certificate;
    const unnamed = `certificate verify failed: SAN matcher: ${shown.subjectAltName ?? 'no name'}`;
    if (peer.sans !== null && !peer.sans.matches(names)) {
      return unverified('failVerifySan', `${unnamed} is not ${peer.sans.text}`);
    }
    if (this.#matchesServerName && requestName !== null && !names.dns.some((san) => coversDnsName(san, requestName))) {
      return unverified('failVerifySan', `${unnamed} is not exact ${requestName}`);
    }
    const { certificateHashes, publicKeyHashes } = peer;
    if (certificateHashes.size + publicKeyHashes.size > 0) {
      const isPinned =
        certificateHashes.has(certificate.sha256) ||
        publicKeyHashes.has(sha256(shown.publicKey.export({ type: 'spki', format: 'der' })));
      if (!isPinned) {
        return unverified('failVerifyHash', 'certificate verify failed: neither its hash nor its key is pinned');
      }
    }
    // A name of an unverified certificate is only a claim.
    return { uriSan: hasTrust ? (names.uri[0] ?? null) : null, alpn, tls: { ...settled, peer: certificate } };
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

  /** A session is offered once: a server that stumbles over it gets a full handshake the next time. */
  #takeSession(key: string): SavedSession | null {
    const saved = this.#sessions.get(key);
    this.#sessions.delete(key);
    return saved !== undefined && saved.notAfterMs > this.#clock.now() ? saved : null;
  }

  #saveSessions(socket: TLSSocket, key: string, requestName: string | null): void {
    const version = this.#version;
    let session: Buffer | null = null;
    let isReady = false;
    const save = (): void => {
      if (session === null || version !== this.#version || socket.destroyed) return;
      const facts = this.#judge(socket, requestName);
      if ('reason' in facts) return;
      const notAfterMs =
        socket.getPeerX509Certificate()?.validToDate.getTime() ?? this.#offered.get(socket)?.notAfterMs ?? 0;
      this.#sessions.set(key, { session, facts, notAfterMs });
    };
    // TLS 1.2 brings the session before the handshake is over, TLS 1.3 after it.
    socket.on('session', (fresh: Buffer) => {
      session = fresh;
      if (isReady) save();
    });
    socket.once('secureConnect', () => {
      isReady = true;
      // A resumed TLS 1.2 session brings no new one: the old one serves again.
      if (session === null && socket.isSessionReused()) session = this.#offered.get(socket)?.session ?? null;
      save();
    });
  }

  #changed(): void {
    this.#version += 1;
    this.#context = null;
    this.#sessions.clear();
    for (const listener of this.#listeners) listener();
  }

  #secureContext(): SecureContext {
    if (this.#context === null) {
      const pair = this.#keyPair();
      this.#context = createSecureContext({ ...this.#settings.parameters, ...pair, ...this.#anchors() });
      this.#own = pair.cert === undefined ? null : Certificate.ofPem(pair.cert);
    }
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

function unverified(counter: keyof TlsClientStats, reason: string): Verdict {
  return { counter, reason };
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

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('base64');
}
