import type { Socket } from 'node:net';
import type { Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import type { Clock } from '@flotilla/runtime';
import type { KeepAliveSettings } from '@flotilla/sockets/http2';
import { createSessions } from './sessions.ts';

export interface GrpcConnectionOptions {
  /** `http://host:port` or `https://host:port`: what requests name as their authority. */
  readonly authority: string;
  /** Opens a socket, TLS and all, gives up in time, and owns the socket's errors. */
  readonly connect: () => Socket;
  readonly keepAlive: KeepAliveSettings;
  readonly clock: Clock;
  /** The server wants fewer PINGs. */
  readonly onTooManyPings: () => void;
  readonly signal: AbortSignal;
}

/** A connection for streams that last, opened before the first of them. */
export interface GrpcConnection {
  readonly transport: Transport;
  /** Its streams fail. */
  close(): void;
}

const IDLE_TIMEOUT_MS = 60_000;

/** Rejects with why there is no connection. */
export async function openGrpcConnection(options: GrpcConnectionOptions): Promise<GrpcConnection> {
  const { authority, signal, connect, ...settings } = options;
  const sessions = createSessions(authority, connect, { ...settings, idleTimeoutMs: IDLE_TIMEOUT_MS });
  const close = (): void => {
    signal.removeEventListener('abort', close);
    sessions.close();
  };
  signal.addEventListener('abort', close);
  try {
    await sessions.ready();
  } catch (error) {
    close();
    throw error;
  }
  return { transport: createGrpcTransport({ baseUrl: authority, sessionManager: sessions }), close };
}
