import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createRpcTransport, type RpcTransport } from '@flotilla/rpc/client';
import type { IdentitySource } from '@flotilla/spiffe';

/**
 * One transport to several galleys that share a store: calls go to the one that answered last, and to the next when that
 * cannot be reached. So a call may be made twice; galley's are safe to repeat. Over mutual TLS, each verified as
 * `spiffeId`.
 */
export function openGalleys(
  urls: readonly [string, ...string[]],
  tls: { readonly identity: IdentitySource; readonly spiffeId: string },
): RpcTransport {
  const open = (url: string): RpcTransport =>
    createRpcTransport({ url, tls: { identity: tls.identity, serverSpiffeId: tls.spiffeId } });
  const [first, ...more] = urls;
  return takeTurns([open(first), ...more.map(open)]);
}

/** Exported for its test. */
export function takeTurns<T extends Transport & { close(): void }>(transports: readonly [T, ...T[]]): RpcTransport {
  let current = 0;
  const inTurn = async <R>(call: (transport: Transport) => Promise<R>): Promise<R> => {
    for (let tried = 1; ; tried++) {
      const at = current;
      try {
        return await call(transports[at % transports.length] ?? transports[0]);
      } catch (error) {
        if (ConnectError.from(error).code !== Code.Unavailable || tried >= transports.length) throw error;
        // Another call may have moved on already.
        if (current === at) current += 1;
      }
    }
  };
  return {
    unary: (...args) => inTurn((transport) => transport.unary(...args)),
    stream: (...args) => inTurn((transport) => transport.stream(...args)),
    close() {
      for (const transport of transports) transport.close();
    },
  };
}
