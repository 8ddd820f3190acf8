import type { DialTarget } from '@flotilla/cluster';
import type { PeerFacts } from '../ports/upstream-connection-facts.ts';
import { isIP, type Socket } from 'node:net';
import { formatAddress } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { connectTcp } from '@flotilla/sockets/tcp';
import type { SharedReader } from '../sockets/shared-reader.ts';

/** TCP settings of one cluster's connections. */
export interface SocketSettings {
  readonly keepAlive: { readonly delayMs: number; readonly intervalMs: number; readonly count: number } | null;
  /** Source addresses, of which one of the target's family is taken; empty for the system's choice. */
  readonly localAddresses: readonly string[];
}

/** How one connection begins. */
export interface Opening {
  /** SNI that comes from the request, when the cluster asks for that; null otherwise. */
  readonly serverName: string | null;
  /** Protocols to offer where the TLS context names none. */
  readonly alpn: readonly string[];
  /** Written first, ahead of TLS; null: nothing. */
  readonly before: Buffer | null;
  /** Takes what is read, in place of `data` events; null: there are events. */
  readonly reader: SharedReader | null;
}

/**
 * How bytes travel on a connection: plainly, or in TLS. One per transport socket of a cluster; `version` grows when
 * a connection made now would differ from earlier ones (a rotated certificate or trust anchor).
 */
export interface Transport {
  readonly name: string;
  /** Version of the PROXY header that every connection begins with; 0: none. */
  readonly proxyVersion: 0 | 1 | 2;
  version(): number;
  /** Begins to connect. Throws when there is no certificate yet. */
  connect(target: DialTarget, settings: SocketSettings, opening: Opening): Socket;
  /** The socket's event that says that it is ready. */
  readonly readyEvent: 'connect' | 'secureConnect';
  /** Decides on the peer of a ready socket: facts, or the reason to refuse it. */
  verify(socket: Socket, serverName: string | null): PeerFacts | string;
  /** Calls back after each change of `version`. */
  subscribe(listener: () => void): () => void;
  close(): void;
}

const NO_FACTS: PeerFacts = { uriSan: null, alpn: null, tls: null };

/** Plain TCP or a Unix socket. */
export function openRawTransport(proxyVersion: Transport['proxyVersion'] = 0): Transport {
  return {
    name: 'raw_buffer',
    proxyVersion,
    readyEvent: 'connect',
    version: () => 0,
    connect(target, settings, { before, reader }) {
      const socket = connectTcp(connectOptions(target, settings, reader), closeFollows);
      if (before !== null) socket.write(before);
      return socket;
    },
    verify: () => NO_FACTS,
    subscribe: () => () => undefined,
    close: () => undefined,
  };
}

/** `address:port`, or the path of a Unix socket. */
export function addressKey({ host, port, path }: DialTarget): string {
  return path ?? formatAddress({ host, port });
}

interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  readonly family?: number;
  readonly localAddress?: string;
  readonly noDelay: true;
  readonly allowHalfOpen: true;
  readonly autoSelectFamily: false;
  readonly keepAlive?: boolean;
  readonly onread?: SharedReader['onread'];
}

/** Options for `net.connect` and `tls.connect`. Half-open, because the HTTP codec and tunnels decide when to end. */
export function connectOptions(
  target: DialTarget,
  settings: SocketSettings,
  reader: SharedReader | null,
): ConnectOptions {
  const localAddress = sourceAddress(target, settings.localAddresses);
  return {
    host: target.host,
    port: target.port,
    ...(target.path === null ? { family: isIP(target.host) } : { path: target.path }),
    ...(localAddress === null ? {} : { localAddress }),
    ...(reader === null ? {} : { onread: reader.onread }),
    noDelay: true,
    allowHalfOpen: true,
    autoSelectFamily: false,
  };
}

/** Without one of the family it is the first, with which connecting fails: another one could loop (as in Envoy). */
function sourceAddress({ host }: DialTarget, candidates: readonly string[]): string | null {
  return candidates.find((candidate) => isIP(candidate) === isIP(host)) ?? candidates[0] ?? null;
}

/** Applies keep-alive to a connected socket. */
export function applyKeepAlive(socket: Socket, { keepAlive }: SocketSettings): void {
  if (keepAlive === null) return;
  // Node's types do not know interval and count yet; its implementation takes an object of all four.
  const setKeepAlive = socket.setKeepAlive as (options: object) => Socket;
  setKeepAlive.call(socket, {
    enable: true,
    initialDelay: keepAlive.delayMs,
    interval: keepAlive.intervalMs,
    count: keepAlive.count,
  });
}
