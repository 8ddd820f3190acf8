import type { ServerHttp2Session } from 'node:http2';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { closeFollows, logged } from '@flotilla/sockets/errors';
import { createHttp2Server } from '@flotilla/sockets/http2';
import { listen } from '@flotilla/sockets/tcp';
import type { IdentitySource, WorkloadCertificate } from '@flotilla/spiffe';
import { type Secret, SecretSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { SecretDiscoveryService } from '@flotilla/wire/envoy/service/secret/v3/sds_pb.js';
import { TYPE_URLS } from '@flotilla/xds';
import { PushableIterable } from '../base/pushable.ts';
import { ROOT_SECRET, WORKLOAD_SECRET } from '../identity/identity-secrets.ts';

export interface SdsServer {
  readonly path: string;
  close(): Promise<void>;
}

// An Envoy that stands still lets go of its streams.
const KEEP_ALIVE = { intervalMs: 30_000, timeoutMs: 10_000 };

/**
 * Serves the identity of this process as the secrets `default` and `ROOTCA` on a Unix socket, to a stock Envoy.
 * Whoever may open the socket gets the key: the caller puts it into a directory of its own (0700).
 */
export async function serveSds(options: {
  readonly path: string;
  readonly identity: IdentitySource;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<SdsServer> {
  const { path, identity, clock, logger } = options;
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server(
    {},
    {
      onError: logged(logger, 'accepting on the SDS socket'),
      onSessionError: closeFollows,
      keepAlive: { ...KEEP_ALIVE, clock },
    },
  );
  server.on(
    'request',
    connectNodeAdapter({
      routes: (router) =>
        router.service(SecretDiscoveryService, {
          streamSecrets: (requests, context) => streamSecrets(requests, context.signal, identity, logger),
        }),
    }),
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  await listen(server, { path });
  return {
    path,
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** One stream: answers for the names asked for, again after each rotation. */
function streamSecrets(
  requests: AsyncIterable<DiscoveryRequest>,
  signal: AbortSignal,
  identity: IdentitySource,
  logger: Logger,
): AsyncIterable<DiscoveryResponse> {
  const responses = new PushableIterable<DiscoveryResponse>();
  let names: readonly string[] = [];
  let nonce = 0;
  const push = (certificate: WorkloadCertificate): void => {
    nonce += 1;
    const resources = names.flatMap((name) => {
      const secret = secretOf(name, certificate);
      return secret === null ? [] : [anyPack(SecretSchema, secret)];
    });
    responses.push(
      create(DiscoveryResponseSchema, {
        typeUrl: TYPE_URLS.SDS,
        versionInfo: certificate.serial,
        nonce: String(nonce),
        resources,
      }),
    );
  };
  const stop = identity.subscribe(push);
  signal.addEventListener('abort', () => {
    stop();
    responses.end();
  });
  const read = async (): Promise<void> => {
    for await (const request of requests) {
      if (request.errorDetail !== undefined) {
        logger.error('the proxy refused a secret', { names, reason: request.errorDetail.message });
        continue;
      }
      const isAnswer = request.responseNonce !== '';
      const isSame = request.resourceNames.join('\n') === names.join('\n');
      names = request.resourceNames;
      const current = identity.current();
      if ((!isAnswer || !isSame) && current !== null) push(current);
    }
    responses.end();
  };
  read().catch((error: unknown) => {
    logger.debug('an SDS stream broke', { reason: FlotillaError.from(error).message });
    responses.end();
  });
  return responses;
}

function secretOf(name: string, certificate: WorkloadCertificate): Secret | null {
  const inline = (text: string) => ({ specifier: { case: 'inlineBytes' as const, value: Buffer.from(text) } });
  switch (name) {
    case WORKLOAD_SECRET:
      return create(SecretSchema, {
        name,
        type: {
          case: 'tlsCertificate',
          value: {
            certificateChain: inline(certificate.chainPem),
            privateKey: inline(certificate.privateKeyPem),
          },
        },
      });
    case ROOT_SECRET:
      return create(SecretSchema, {
        name,
        type: { case: 'validationContext', value: { trustedCa: inline(certificate.rootsPem) } },
      });
    default:
      return null;
  }
}
