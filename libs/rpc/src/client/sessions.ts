import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Http2SessionManager } from '@connectrpc/connect-node';
import { Connection, type ConnectionSettings } from './connection.ts';

/** What a transport of Connect asks of its connections. */
type SessionManager = Pick<Http2SessionManager, 'authority' | 'notifyResponseByteRead' | 'request'>;

/** One HTTP/2 connection at a time, opened when needed, and given up for a new one on `renew`. */
export interface Sessions extends SessionManager {
  /** Resolves when there is a connection; rejects with why there is none. */
  ready(): Promise<void>;
  /** The next call opens a new connection; calls in flight finish on the old one. */
  renew(): void;
  /** Calls in flight fail. */
  close(): void;
}

/** `connect` opens a socket, gives up in time, and owns the socket's errors. */
export function createSessions(authority: string, connect: () => Socket, settings: ConnectionSettings): Sessions {
  let current: Connection | null = null;
  let isClosed = false;
  let { intervalMs } = settings.keepAlive;
  const leaving = new Set<Connection>();

  function connection(): Connection {
    if (current?.isUsable === true) return current;
    if (current !== null) retire(current);
    current = new Connection(authority, connect, {
      ...settings,
      keepAlive: { ...settings.keepAlive, intervalMs },
      onTooManyPings() {
        intervalMs *= 2;
        settings.onTooManyPings?.();
      },
    });
    return current;
  }

  function retire(old: Connection): void {
    leaving.add(old);
    void old.closed.then(() => leaving.delete(old));
    old.leave();
  }

  return {
    authority,
    async ready() {
      await connection().ready;
    },
    async request(method, path, headers, options): Promise<ClientHttp2Stream> {
      const fields: OutgoingHttpHeaders = { ...headers, ':method': method, ':path': path };
      for (;;) {
        const used = connection();
        try {
          await used.ready;
        } catch (error) {
          // Not when it was given up for a new one, before it was ready.
          if (used === current || isClosed) throw error;
          continue;
        }
        try {
          return used.open(fields, options);
        } catch (error) {
          // It ended in this moment: another one is opened, which fails by itself when it has to.
          if (used.isUsable) throw error;
        }
      }
    },
    // Whether the peer is there is asked by PING, whatever it sends.
    notifyResponseByteRead: () => undefined,
    renew() {
      if (current !== null) retire(current);
      current = null;
    },
    close() {
      isClosed = true;
      for (const each of [current, ...leaving]) each?.destroy();
      current = null;
    },
  };
}
