import type { Socket } from 'node:net';
import { formatAddress, type Clock } from '@flotilla/runtime';
import type { StreamInfo } from '@flotilla/stream';
import { applyKeepAlive, type Opening, type SocketSettings, type Transport } from './transport.ts';
import type { DialTarget } from '@flotilla/cluster';
import type { UpstreamConnectionFacts } from '../ports/upstream-connection-facts.ts';

export interface DialSettings extends SocketSettings {
  /** From the first packet to the end of the TLS handshake. */
  readonly connectTimeoutMs: number;
}

export interface DialHandler {
  /** Ready, TLS and verification done, and paused; it belongs to the callee from now on. */
  onReady(socket: Socket, facts: UpstreamConnectionFacts): void;
  /** `detail` is for the access log. Never called from inside `dial`. */
  onFailure(failure: 'connect-failure' | 'connect-timeout', detail: string): void;
}

let nextConnectionId = 1;

/** Notes down which connection a stream goes by. */
export function noteConnection(info: StreamInfo, facts: UpstreamConnectionFacts): void {
  info.upstreamLocalAddress = facts.localAddress;
  info.upstreamPeerUriSan = facts.uriSan;
  info.upstreamTls = facts.tls;
  info.upstreamConnectionId = facts.id;
}

/** Opens one connection. Exactly one callback follows, none after an `abort` that returns true. */
export function dial(
  target: DialTarget,
  transport: Transport,
  opening: Opening,
  settings: DialSettings,
  clock: Clock,
  handler: DialHandler,
): { abort(): boolean } {
  let isOver = false;
  let socket: Socket | null = null;
  const timer = clock.after(settings.connectTimeoutMs, () => fail('connect-timeout', 'connection timeout'), {
    keepAlive: true,
  });

  function finish(): boolean {
    if (isOver) return false;
    isOver = true;
    timer.cancel();
    return true;
  }

  function fail(failure: 'connect-failure' | 'connect-timeout', detail: string): void {
    if (!finish()) return;
    socket?.destroy();
    handler.onFailure(failure, detail);
  }

  function onError(error: NodeJS.ErrnoException): void {
    fail('connect-failure', describeConnectError(error, transport));
  }

  function onClose(): void {
    fail('connect-failure', 'connection closed before it was ready');
  }

  try {
    socket = transport.connect(target, settings, opening);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    process.nextTick(() => fail('connect-failure', detail));
    return { abort: finish };
  }
  const opened = socket;
  opened.on('error', onError);
  opened.on('close', onClose);
  opened.once(transport.readyEvent, () => {
    const facts = transport.verify(opened, opening.serverName);
    if (typeof facts === 'string') return fail('connect-failure', facts);
    if (!finish()) return;
    opened.off('error', onError);
    opened.off('close', onClose);
    opened.pause();
    applyKeepAlive(opened, settings);
    handler.onReady(opened, { ...facts, localAddress: localAddressOf(opened), id: nextConnectionId++ });
  });
  return {
    abort() {
      if (!finish()) return false;
      opened.destroy();
      return true;
    },
  };
}

function localAddressOf({ localAddress, localPort }: Socket): string {
  return localAddress === undefined ? '' : formatAddress({ host: localAddress, port: localPort ?? 0 });
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  ENOENT: 'No such file or directory',
};

/** The text of a failed connection, as Envoy words it for plain TCP. */
function describeConnectError(error: NodeJS.ErrnoException, transport: Transport): string {
  const text = ERRNO_TEXTS[error.code ?? ''];
  if (error.syscall === 'connect' || transport.readyEvent === 'connect') {
    return `delayed connect error: ${text ?? error.message}`;
  }
  return `TLS_error: ${text ?? error.message.replace(/^[0-9A-F]+:error:/, '').trim()}`;
}
