import { inField, refuse, unpackValid } from '@flotilla/envoy';
import type { ConnectionInfo, TlsFacts } from '@flotilla/stream';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from '@flotilla/observe';
import { limit, type Clock } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { createTlsServer } from '@flotilla/sockets/tls';
import { svidFault } from '@flotilla/spiffe';
import type { TransportSocket } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { ProxyContext } from '../ports/context.ts';
import type { Counter } from '../base/stats.ts';
import { Certificate } from '../tls/certificate.ts';
import { sniff } from './sniff.ts';
import { compileTlsParameters, type TlsParameterOptions } from '../tls/tls-parameters.ts';
import { certificateSource, type SecretSource, validationSource, type ValidationSource } from './tls-secrets.ts';
import type { CertificateSecret } from '../ports/secret-store.ts';

/** A finished handshake, or why there is none. */
export type HandshakeOutcome =
  | {
      readonly socket: TLSSocket;
      readonly tls: TlsFacts;
      readonly clientCertificate: ConnectionInfo['clientCertificate'];
    }
  | { readonly failure: string };

const DEFAULT_HANDSHAKE_TIMEOUT_MS = limit({
  name: 'proxy.tls-handshake',
  what: 'time for a TLS handshake',
  default: 15_000,
  unit: 'ms',
  setting: '`transport_socket_connect_timeout`',
  past: 'the connection is closed',
});

/** Compiles a filter chain's transport socket; null for plain text. Throws `invalid`, naming the field. */
export function compileDownstreamTls(
  transport: TransportSocket | undefined,
  ctx: ProxyContext,
  statPrefix: string,
  handshakeTimeoutMs: number | null,
): TlsAcceptor | null {
  if (transport === undefined) return null;
  const any = transport.configType.value;
  if (any?.typeUrl.endsWith('.RawBuffer') === true) return null;
  const context = any === undefined ? undefined : unpackValid(any, DownstreamTlsContextSchema);
  if (context === undefined) {
    return refuse('transport_socket', `"${transport.name}" is not supported`, 'Use raw_buffer or tls.');
  }
  return new TlsAcceptor(context, ctx, statPrefix, handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS);
}

/**
 * The server side of TLS for one filter chain. Never listens: accepted sockets are handed in, with the bytes that
 * were sniffed put back. When a secret's version changes, the next handshake uses the new one; open connections
 * keep theirs.
 */
export class TlsAcceptor {
  readonly secretNames: readonly string[];
  readonly #certificate: SecretSource<CertificateSecret>;
  readonly #validation: ValidationSource | null;
  readonly #parameters: TlsParameterOptions;
  readonly #alpn: readonly string[];
  readonly #requireClientCertificate: boolean;
  readonly #requireSni: boolean;
  readonly #handshakeTimeoutMs: number;
  readonly #stats: TlsStats;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #pending = new Map<string, (outcome: HandshakeOutcome) => void>();
  #withAlpn: TlsServer | null = null;
  #withoutAlpn: TlsServer | null = null;
  /** Our own, of the version in use. */
  #own: Certificate | null = null;

  constructor(context: DownstreamTlsContext, ctx: ProxyContext, statPrefix: string, handshakeTimeoutMs: number) {
    const common = context.commonTlsContext;
    const path = 'transport_socket.common_tls_context';
    if (common === undefined) refuse(path, 'is missing');
    this.#certificate = certificateSource(common, ctx.secrets, path);
    this.#validation = validationSource(common, ctx.secrets, path);
    this.#parameters = compileTlsParameters(common.tlsParams, `${path}.tls_params`);
    this.#alpn = common.alpnProtocols;
    this.#requireClientCertificate = context.requireClientCertificate === true;
    this.#requireSni = context.requireSni === true;
    this.#handshakeTimeoutMs = handshakeTimeoutMs;
    this.#stats = tlsStats(ctx, statPrefix);
    this.#logger = ctx.logger;
    this.#clock = ctx.clock;
    this.#checkInline(path);
    this.secretNames = [this.#certificate.name, this.#validation?.trust?.name ?? null].filter((name) => name !== null);
  }

  /**
   * Does the handshake on a paused socket. `initial` are bytes read before; `offered` the client's ALPN protocols
   * where they are known. `done` is called once; on failure the socket is destroyed already.
   */
  handshake(
    socket: Socket,
    initial: Buffer | null,
    offered: readonly string[] | null,
    done: (outcome: HandshakeOutcome) => void,
  ): void {
    if (offered === null && initial === null && this.#alpn.length > 0) {
      this.#handshakeKnowing(socket, done);
      return;
    }
    const server = this.#serverFor(offered);
    if (server === null) {
      socket.destroy();
      done({ failure: 'no usable certificate has arrived yet' });
      return;
    }
    const key = `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;
    const finish = (outcome: HandshakeOutcome) => {
      if (this.#pending.get(key) !== finish) return;
      this.#pending.delete(key);
      socket.off('close', onClose);
      if ('failure' in outcome) {
        // A missing certificate has a count of its own.
        if (outcome.failure !== NO_CERTIFICATE) this.#stats.connectionError.value += 1;
        socket.destroy();
      }
      done(outcome);
    };
    const onClose = () => finish({ failure: 'the client closed during the handshake' });
    this.#pending.set(key, finish);
    socket.once('close', onClose);
    if (initial !== null) socket.unshift(initial);
    server.emit('connection', socket);
  }

  /** Looks at the ClientHello first: what the client offers decides whether ALPN takes part. */
  #handshakeKnowing(socket: Socket, done: (outcome: HandshakeOutcome) => void): void {
    const settings = { tls: true, http: false, timeoutMs: this.#handshakeTimeoutMs, continueOnTimeout: false };
    sniff(socket, settings, this.#clock, null, (sniffed) => {
      if (sniffed !== null) return this.handshake(socket, sniffed.initial, sniffed.applicationProtocols, done);
      this.#stats.connectionError.value += 1;
      socket.destroy();
      done({ failure: 'the client closed before its ClientHello, or took too long' });
    });
  }

  #serverFor(offered: readonly string[] | null): Server | null {
    // A server with ALPN protocols refuses a client that offers none of them; Envoy goes on without ALPN.
    const hasCommon = offered === null || offered.length === 0 || offered.some((name) => this.#alpn.includes(name));
    const alpn = hasCommon ? this.#alpn : [];
    let entry = hasCommon ? this.#withAlpn : this.#withoutAlpn;
    const version = `${this.#certificate.version()}/${this.#validation?.trust?.version() ?? 0}`;
    if (entry?.version === version) return entry.server;
    const options = this.#contextOptions();
    if (options === null) return null;
    try {
      if (entry === null) {
        entry = { server: this.#createServer(options, alpn), version };
        if (hasCommon) this.#withAlpn = entry;
        else this.#withoutAlpn = entry;
      } else entry.server.setSecureContext(options);
      this.#own = Certificate.ofPem(options.cert);
    } catch (error) {
      // The last certificate that could be used goes on.
      this.#logger.error('a TLS secret cannot be used', { secrets: this.secretNames, error });
    }
    if (entry !== null) entry.version = version;
    return entry === null ? null : entry.server;
  }

  /** What stands in the configuration itself is checked with it. Throws `invalid`. */
  #checkInline(path: string): void {
    if (this.#certificate.name !== null) return;
    const options = this.#contextOptions();
    if (options !== null) inField(path, () => void createSecureContext(options));
  }

  #contextOptions(): (SecureContextOptions & { readonly cert: string }) | null {
    const certificate = this.#certificate.current();
    const trust = this.#validation?.trust ?? null;
    const anchors = trust === null ? null : trust.current();
    if (certificate === null || (trust !== null && anchors === null)) return null;
    return {
      cert: certificate.chainPem,
      key: certificate.privateKeyPem,
      ...(anchors === null ? {} : { ca: anchors.trustedCaPem }),
      ...this.#parameters,
    };
  }

  #createServer(options: SecureContextOptions, alpn: readonly string[]): Server {
    const server = createTlsServer(
      {
        ...options,
        requestCert: this.#validation !== null,
        // Decided below, where the reason is known.
        rejectUnauthorized: false,
        handshakeTimeout: this.#handshakeTimeoutMs,
        noDelay: true,
        ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      },
      {
        // It never listens itself.
        onError: closeFollows,
        onSocketError: closeFollows,
        onHandshakeError: (error, socket) => this.#pending.get(keyOf(socket))?.({ failure: error.message }),
      },
    );
    server.on('secureConnection', (socket: TLSSocket) => this.#onSecure(socket));
    return server;
  }

  #onSecure(socket: TLSSocket): void {
    const finish = this.#pending.get(keyOf(socket));
    if (finish === undefined) {
      socket.destroy();
      return;
    }
    const shown = socket.getPeerX509Certificate();
    const peer = shown === undefined ? null : new Certificate(shown);
    const refused = this.#refusal(socket, peer);
    if (refused !== null) {
      socket.destroy();
      finish({ failure: refused });
      return;
    }
    this.#stats.handshake.value += 1;
    socket.pause();
    const hasTrust = this.#validation?.trust != null;
    const clientCertificate = peer === null ? null : hasTrust ? 'validated' : 'presented';
    const tls = { version: socket.getProtocol() ?? '', cipher: socket.getCipher().name, peer, own: this.#own };
    finish({ socket, tls, clientCertificate });
  }

  /** Why the client may not come in; null when it may. */
  #refusal(socket: TLSSocket, certificate: Certificate | null): string | null {
    if (this.#requireSni && (socket.servername === false || socket.servername === '')) return 'SNI is required';
    if (certificate === null) {
      if (!this.#requireClientCertificate) {
        this.#stats.noCertificate.value += 1;
        return null;
      }
      this.#stats.failVerifyNoCertificate.value += 1;
      return NO_CERTIFICATE;
    }
    const validation = this.#validation;
    if (validation === null) return null;
    if (validation.trust !== null && !socket.authorized) {
      this.#stats.failVerifyError.value += 1;
      return `the client's certificate is not trusted: ${String(socket.authorizationError)}`;
    }
    const fault = validation.trust === null ? null : svidFault(certificate.x509);
    if (fault !== null) {
      this.#stats.failVerifyError.value += 1;
      return `the client's certificate (${certificate.x509.subjectAltName ?? ''}) is no SPIFFE identity: ${fault}`;
    }
    if (validation.allowsSan !== null && !validation.allowsSan(certificate.names)) {
      this.#stats.failVerifySan.value += 1;
      return `the client's certificate has no allowed name (${certificate.x509.subjectAltName ?? 'none at all'})`;
    }
    return null;
  }
}

const NO_CERTIFICATE = 'the client showed no certificate, and one is required';

interface TlsServer {
  readonly server: Server;
  /** Versions of the secrets that it holds. */
  version: string;
}

// The TLS socket that the server makes is told apart by its ports: Node does not say which raw socket it wraps.
function keyOf(socket: TLSSocket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;
}

interface TlsStats {
  readonly handshake: Counter;
  readonly connectionError: Counter;
  readonly noCertificate: Counter;
  readonly failVerifyNoCertificate: Counter;
  readonly failVerifyError: Counter;
  readonly failVerifySan: Counter;
}

function tlsStats({ stats }: ProxyContext, prefix: string): TlsStats {
  return {
    handshake: stats.counter(`${prefix}ssl.handshake`),
    connectionError: stats.counter(`${prefix}ssl.connection_error`),
    noCertificate: stats.counter(`${prefix}ssl.no_certificate`),
    failVerifyNoCertificate: stats.counter(`${prefix}ssl.fail_verify_no_cert`),
    failVerifyError: stats.counter(`${prefix}ssl.fail_verify_error`),
    failVerifySan: stats.counter(`${prefix}ssl.fail_verify_san`),
  };
}
