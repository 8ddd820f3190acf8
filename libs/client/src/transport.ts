import type { Transport } from '@connectrpc/connect';
import { createRpcTransport, type RpcTransport } from '@flotilla/rpc/client';
import { explainFailure } from './failure.ts';
import type { Server } from './servers.ts';

/** A transport to one server whose calls fail with `FlotillaError`s that say what to do. */
export function openTransport(server: Server): RpcTransport {
  const inner = createRpcTransport(server.transport);
  const fail = (thrown: unknown): never => {
    throw explainFailure(thrown, server);
  };
  // Wrapped around, not an interceptor: what an interceptor throws comes out as a ConnectError again.
  const unary: Transport['unary'] = (...call) => inner.unary(...call).catch(fail);
  const stream: Transport['stream'] = async (...call) => {
    const response = await inner.stream(...call).catch(fail);
    return { ...response, message: explained(response.message, fail) };
  };
  return { unary, stream, close: () => inner.close() };
}

async function* explained<T>(messages: AsyncIterable<T>, fail: (thrown: unknown) => never): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (thrown) {
    fail(thrown);
  }
}
