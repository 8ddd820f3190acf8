import { constants, type ClientHttp2Stream, type Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { Http2SessionManager } from '@connectrpc/connect-node';
import { FlotillaError } from '@flotilla/runtime';

type Request = Http2SessionManager['request'];

/** One HTTP/2 connection at a time, opened when needed, and given up for a new one on `renew`. */
export interface Sessions {
  readonly authority: string;
  request: Request;
  notifyResponseByteRead(stream: ClientHttp2Stream): void;
  /** The next call opens a new connection; calls in flight finish on the old one. */
  renew(): void;
  close(): void;
}

// A peer that vanished without a word is noticed after the sum of both, while calls are open.
const PING_INTERVAL_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

export function createSessions(url: URL, connect: () => Socket): Sessions {
  const open = () =>
    new Http2SessionManager(
      url.origin,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS, idleConnectionTimeoutMs: IDLE_TIMEOUT_MS },
      { createConnection: connect },
    );
  let current = open();
  const retired = new Set<Http2SessionManager>();
  const isBusy = (session: Http2SessionManager) => ['open', 'connecting', 'verifying'].includes(session.state());
  return {
    authority: url.origin,
    async request(...args) {
      const stream = await current.request(...args);
      if (stream.session !== undefined) outliveErrors(stream.session);
      return failWhenCutOff(stream);
    },
    notifyResponseByteRead(stream) {
      current.notifyResponseByteRead(stream);
      for (const session of retired) session.notifyResponseByteRead(stream);
    },
    renew() {
      retired.add(current);
      current = open();
      for (const session of retired) {
        if (isBusy(session)) continue;
        session.abort();
        retired.delete(session);
      }
    },
    close() {
      for (const session of [current, ...retired]) session.abort();
      retired.clear();
    },
  };
}

const outlived = new WeakSet<Http2Session>();

/**
 * Connect's manager stops listening once it gave a connection up. What breaks on it afterwards (a peer that answers in
 * another protocol than HTTP/2) was told to its calls already, and as an event without listener would end the process.
 */
function outliveErrors(session: Http2Session): void {
  if (outlived.has(session)) return;
  outlived.add(session);
  session.on('error', () => undefined);
}

/**
 * After a GOAWAY, the loss of the connection closes its streams without an error, and a call that waits for its answer
 * would wait for ever. So a stream that closes before its end fails here.
 */
function failWhenCutOff(stream: ClientHttp2Stream): ClientHttp2Stream {
  stream.once('close', () => {
    if (stream.readableEnded || stream.errored || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    stream.emit('error', new FlotillaError('unavailable', 'the connection was closed before the answer'));
  });
  return stream;
}
