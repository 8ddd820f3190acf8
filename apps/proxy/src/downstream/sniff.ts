import type { Socket } from 'node:net';
import { limit, type Clock } from '@flotilla/runtime';
import { parseClientHello } from '../protocol/client-hello.ts';
import { detectHttp } from '../protocol/http-first-line.ts';

/** Which listener filters look at the first bytes. */
export interface SniffSettings {
  readonly tls: boolean;
  readonly http: boolean;
  /** 0: wait as long as it takes. */
  readonly timeoutMs: number;
  /** On a timeout go on with what is known instead of closing (a server that speaks first). */
  readonly continueOnTimeout: boolean;
}

/** What filter chain matching knows of a connection beyond its addresses. */
export interface Sniffed {
  readonly transport: 'tls' | 'raw_buffer';
  readonly serverName: string | null;
  readonly applicationProtocols: readonly string[];
  /** Bytes that were read; the next stage owns them. */
  readonly initial: Buffer | null;
}

export const nothingSniffed: Sniffed = {
  transport: 'raw_buffer',
  serverName: null,
  applicationProtocols: [],
  initial: null,
};

// A ClientHello with post-quantum key shares and a session ticket stays below 4 KiB; Envoy's bound is 16 KiB.
const MAX_TLS_BYTES = limit({
  name: 'proxy.client-hello-bytes',
  what: 'a ClientHello that is waited for',
  default: 16 * 1024 + 512,
  unit: 'bytes',
  past: 'taken as not TLS',
});
const MAX_HTTP_BYTES = limit({
  name: 'proxy.sniffed-bytes',
  what: 'first bytes that may yet become HTTP',
  default: 8 * 1024,
  unit: 'bytes',
  past: 'taken as not HTTP',
});

/** Reads as few bytes as it takes to decide, then pauses the socket and calls `done` (null: close it). */
export function sniff(
  socket: Socket,
  settings: SniffSettings,
  clock: Clock,
  /** Bytes that were read before. */
  before: Buffer | null,
  done: (sniffed: Sniffed | null) => void,
): void {
  const known = before === null ? null : decide(before, settings);
  if (known !== null) return done(known);
  let seen = before;
  const timer =
    settings.timeoutMs === 0
      ? null
      : clock.after(settings.timeoutMs, () => {
          finish(settings.continueOnTimeout ? { ...nothingSniffed, initial: seen } : null);
        });
  const finish = (sniffed: Sniffed | null) => {
    timer?.cancel();
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onClose);
    socket.off('error', onError);
    socket.pause();
    done(sniffed);
  };
  const onData = (chunk: Buffer) => {
    seen = seen === null ? chunk : Buffer.concat([seen, chunk]);
    const sniffed = decide(seen, settings);
    if (sniffed !== null) finish(sniffed);
  };
  // A client that closes its side without a decision: nothing more will come.
  const onEnd = () => finish(seen === null ? null : { ...nothingSniffed, initial: seen });
  const onClose = () => finish(null);
  const onError = () => finish(null);
  socket.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError);
  // Accepted sockets come paused, and a listener for data does not undo that.
  socket.resume();
}

function decide(bytes: Buffer, settings: SniffSettings): Sniffed | null {
  if (settings.tls) {
    const hello = parseClientHello(bytes);
    if (hello === 'incomplete') return bytes.length < MAX_TLS_BYTES ? null : { ...nothingSniffed, initial: bytes };
    if (hello !== 'not-tls') {
      const { serverName, alpn } = hello;
      return { transport: 'tls', serverName, applicationProtocols: alpn, initial: bytes };
    }
  }
  if (!settings.http) return { ...nothingSniffed, initial: bytes };
  const protocol = detectHttp(bytes);
  if (protocol === 'incomplete' && bytes.length < MAX_HTTP_BYTES) return null;
  const applicationProtocols = protocol === null || protocol === 'incomplete' ? [] : [protocol];
  return { ...nothingSniffed, applicationProtocols, initial: bytes };
}
