import { FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Secret as SecretConfig } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { decodeSecret } from './decode-secret.ts';
import { ROOT_SECRET, WORKLOAD_SECRET } from './identity-secrets.ts';
import type { SecretReference } from './secret-references.ts';
import type { SecretTable } from './secret-table.ts';

export interface SecretSourcesOptions {
  readonly secrets: SecretTable;
  readonly statics: readonly SecretConfig[];
  /** `default` and `ROOTCA` come from this process's own identity. */
  readonly hasIdentity: boolean;
  /** Subscribes a secret on the aggregated stream; null where there is none. */
  readonly subscribeAds: ((names: ReadonlySet<string>) => void) | null;
  /** Opens an SDS stream to a cluster for a name. Throws `invalid` when there is no such cluster. */
  readonly openSds: (clusterName: string, secretName: string) => { close(): void };
  readonly logger: Logger;
}

/** Starts the source of each secret once somebody needs it. */
export interface SecretSources {
  /** Throws `invalid` when there is no such source, or no such static secret. */
  require(reference: SecretReference): void;
  isPresent(name: string): boolean;
  close(): void;
}

/** Secrets of the bootstrap, of this process's identity, of SDS servers and of the aggregated stream, as one. */
export function openSecretSources(options: SecretSourcesOptions): SecretSources {
  const { secrets } = options;
  const started = new Map<string, () => void>();
  const fromAds = new Set<string>();
  for (const config of options.statics) {
    secrets.holder(config.name).set(decodeSecret(config));
    started.set(config.name, () => undefined);
  }
  if (options.hasIdentity) {
    for (const name of [WORKLOAD_SECRET, ROOT_SECRET]) started.set(name, () => undefined);
  }

  function start({ name, source }: SecretReference): () => void {
    const specifier = source?.configSourceSpecifier;
    switch (specifier?.case) {
      case undefined:
        throw new FlotillaError('invalid', `unknown static secret "${name}"`);
      case 'ads':
        if (options.subscribeAds === null)
          throw new FlotillaError('invalid', `secret "${name}": there is no ads_config`);
        fromAds.add(name);
        options.subscribeAds(fromAds);
        return () => undefined;
      case 'apiConfigSource': {
        const target = specifier.value.grpcServices[0]?.targetSpecifier;
        if (target?.case !== 'envoyGrpc') {
          throw new FlotillaError('invalid', `secret "${name}": its SDS source needs an envoy_grpc service`);
        }
        const stream = options.openSds(target.value.clusterName, name);
        return () => stream.close();
      }
      default:
        throw new FlotillaError('invalid', `secret "${name}": ${specifier?.case} is not supported`);
    }
  }

  return {
    require(reference) {
      if (started.has(reference.name)) return;
      started.set(reference.name, start(reference));
    },
    isPresent: (name) => secrets.holder(name).current() !== null,
    close() {
      for (const stop of started.values()) stop();
      started.clear();
    },
  };
}
