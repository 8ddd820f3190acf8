import { create, fromBinary } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { SecretSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { SecretDiscoveryService } from '@flotilla/wire/envoy/service/secret/v3/sds_pb.js';
import { TYPE_URLS } from '@flotilla/xds';
import type { GrpcConnection } from '@flotilla/rpc/client';
import type { GrpcCluster } from '../ports/grpc-cluster.ts';
import { PushableIterable } from '../base/pushable.ts';
import { decodeSecret } from './decode-secret.ts';
import type { SettableSecret } from './secret-table.ts';

export interface SdsClientOptions {
  readonly cluster: GrpcCluster;
  readonly node: Node;
  readonly secret: SettableSecret;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Keeps one secret up to date from an SDS server (`StreamSecrets`), as Envoy does: one stream a secret, reopened with back-off. */
export function openSdsClient(options: SdsClientOptions): { close(): void } {
  const { secret, logger } = options;
  const backoff = new Backoff({ baseMs: 250, maxMs: 10_000 }, options.random);
  const stop = new AbortController();
  let timer: Timer | null = null;
  let acceptedVersion = '';

  async function run(): Promise<void> {
    let connection: GrpcConnection | null = null;
    const requests = new PushableIterable<DiscoveryRequest>();
    const send = (nonce: string, refusal: string | null): void => {
      requests.push(
        create(DiscoveryRequestSchema, {
          node: options.node,
          typeUrl: TYPE_URLS.SDS,
          resourceNames: [secret.name],
          versionInfo: acceptedVersion,
          responseNonce: nonce,
          ...(refusal === null ? {} : { errorDetail: { code: 3, message: refusal } }),
        }),
      );
    };
    try {
      connection = await options.cluster.connect(stop.signal);
      send('', null);
      const client = createClient(SecretDiscoveryService, connection.transport);
      for await (const response of client.streamSecrets(requests, { signal: stop.signal })) {
        backoff.reset();
        try {
          for (const any of response.resources) {
            const config = fromBinary(SecretSchema, any.value);
            if (config.name === secret.name) secret.set(decodeSecret(config));
          }
          acceptedVersion = response.versionInfo;
          send(response.nonce, null);
        } catch (error) {
          const reason = FlotillaError.from(error, 'invalid').message;
          logger.warn('refused a secret', { secret: secret.name, reason });
          send(response.nonce, reason);
        }
      }
      throw new FlotillaError('unavailable', 'the SDS server ended the stream');
    } catch (error) {
      if (stop.signal.aborted) return;
      const delayMs = backoff.nextMs();
      logger.warn('no SDS stream', { secret: secret.name, reason: FlotillaError.from(error).message });
      timer = options.clock.after(delayMs, () => void run());
    } finally {
      requests.end();
      connection?.close();
    }
  }

  void run();
  return {
    close() {
      stop.abort();
      timer?.cancel();
    },
  };
}
