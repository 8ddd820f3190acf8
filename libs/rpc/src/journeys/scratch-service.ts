import type { ConnectRouter } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId } from '@flotilla/spiffe';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { callerOf } from '../caller.ts';

/**
 * Services for the journeys: a unary call that tells who the caller is (and fails, or waits, when its namespace says
 * so), and a bidirectional one that answers each message with its type URL.
 */
export function scratchRoutes(waiting?: { readonly entered: () => void; readonly until: Promise<void> }) {
  return (router: ConnectRouter): void => {
    router.service(CitadelService, {
      async createToken({ namespace, serviceAccount }, context) {
        if (namespace === 'wait') {
          waiting?.entered();
          await waiting?.until;
        }
        if (namespace === 'forbidden') throw new FlotillaError('forbidden', 'not you', { hint: 'Ask somebody else.' });
        if (namespace === 'bug') throw new TypeError('secret detail');
        if (namespace === 'slow') {
          await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
        }
        const caller = callerOf(context);
        const facts = {
          spiffeId: caller.spiffeId === null ? null : formatSpiffeId(caller.spiffeId),
          serial: caller.certificate?.serialNumber.toLowerCase() ?? null,
          bearerToken: caller.bearerToken,
          isLoopback: caller.isLoopback,
          inProcess: caller.inProcess,
        };
        return { token: serviceAccount === '' ? JSON.stringify(facts) : serviceAccount };
      },
    });
    router.service(AggregatedDiscoveryService, {
      async *streamAggregatedResources(requests) {
        for await (const request of requests) {
          if (request.typeUrl === 'fail') throw new FlotillaError('conflict', 'changed meanwhile');
          yield { versionInfo: request.typeUrl };
        }
        yield { versionInfo: 'after the last request' };
      },
    });
  };
}

export const pathOf = (method: { readonly parent: { readonly typeName: string }; readonly name: string }) =>
  `/${method.parent.typeName}/${method.name}`;
