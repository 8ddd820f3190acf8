import { createRouterTransport, type Transport } from '@connectrpc/connect';
import type { Logger } from '@flotilla/observe';
import { inProcessPeer, peerKey } from '../caller.ts';
import { routerOptions, type Routes } from './router.ts';

/**
 * Calls these routes without a network: messages are encoded and decoded as on the wire, errors are mapped as by
 * `serveRpc`, and `callerOf` says `inProcess`.
 */
export function createInMemoryTransport(routes: Routes, logger: Logger | null = null): Transport {
  return createRouterTransport((router) => void routes(router), {
    router: routerOptions({
      logger,
      closing: null,
      options: { requestGate: (context) => void context.values.set(peerKey, inProcessPeer) },
    }),
  });
}
