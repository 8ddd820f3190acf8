import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { TransportSocket } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { ConfigSource } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { CommonTlsContext } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';

/** A secret that a resource needs, and where it comes from; null for a static secret of the bootstrap. */
export interface SecretReference {
  readonly name: string;
  readonly source: ConfigSource | null;
}

/** Secrets that a cluster's transport sockets name. */
export function secretsOfCluster(cluster: Cluster): SecretReference[] {
  const sockets = [cluster.transportSocket, ...cluster.transportSocketMatches.map((match) => match.transportSocket)];
  return sockets.flatMap((socket) => secretsOfSocket(socket));
}

/** Secrets that a listener's filter chains name. */
export function secretsOfListener(listener: Listener): SecretReference[] {
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  return chains.flatMap((chain) => secretsOfSocket(chain.transportSocket));
}

function secretsOfSocket(socket: TransportSocket | undefined): SecretReference[] {
  const any = socket?.configType.value;
  if (any === undefined) return [];
  const context = anyUnpack(any, UpstreamTlsContextSchema) ?? anyUnpack(any, DownstreamTlsContextSchema);
  return context?.commonTlsContext === undefined ? [] : secretsOfContext(context.commonTlsContext);
}

function secretsOfContext(context: CommonTlsContext): SecretReference[] {
  const { validationContextType: validation } = context;
  const trust =
    validation.case === 'validationContextSdsSecretConfig'
      ? validation.value
      : validation.case === 'combinedValidationContext'
        ? validation.value.validationContextSdsSecretConfig
        : undefined;
  return [...context.tlsCertificateSdsSecretConfigs, ...(trust === undefined ? [] : [trust])].map((config) => ({
    name: config.name,
    source: config.sdsConfig ?? null,
  }));
}
