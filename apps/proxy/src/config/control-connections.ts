import { type Clock, FlotillaError, type Random } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { SecretReference } from '../identity/secret-references.ts';
import type { SecretTable } from '../identity/secret-table.ts';
import type { StatsRegistry } from '../base/stats.ts';
import type { DiscoveryStream, DiscoveryStreamOptions } from './discovery-stream.ts';
import type { GrpcCluster } from '../ports/grpc-cluster.ts';

export interface ControlConnectionsOptions {
  readonly bootstrap: Bootstrap;
  readonly secrets: SecretTable;
  /** Starts the source of a secret that a control-plane cluster needs. */
  readonly requireSecret: (reference: SecretReference) => void;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The streams of the bootstrap's control-plane clusters. gRPC is loaded when the first one is opened. */
export interface ControlConnections {
  /** Opens the stream of `ads_config`. Rejects with `invalid` when the bootstrap asks for what is not supported. */
  openAds(apply: DiscoveryStreamOptions['apply']): Promise<DiscoveryStream>;
  /** Opens an SDS stream for one secret. Throws `invalid` for an unknown cluster. */
  openSds(clusterName: string, secretName: string): { close(): void };
}

export function controlConnections(options: ControlConnectionsOptions): ControlConnections {
  const { bootstrap, secrets, stats, clock, random, logger } = options;
  const statics = bootstrap.staticResources?.clusters ?? [];

  async function grpcCluster(name: string): Promise<GrpcCluster> {
    const config = statics.find((cluster) => cluster.name === name);
    if (config === undefined) throw new FlotillaError('invalid', `unknown static cluster "${name}"`);
    const { compileGrpcCluster, secretsOfCluster } = await import('./control-plane.ts');
    for (const reference of secretsOfCluster(config)) options.requireSecret(reference);
    return compileGrpcCluster(config, secrets, clock);
  }

  return {
    async openAds(apply) {
      const ads = bootstrap.dynamicResources?.adsConfig;
      const target = ads?.grpcServices[0]?.targetSpecifier;
      if (ads === undefined || target?.case !== 'envoyGrpc') {
        throw new FlotillaError('invalid', 'dynamic_resources.ads_config needs an envoy_grpc service');
      }
      const { ApiConfigSource_ApiType, deltaDialect, openDiscoveryStream, sotwDialect } =
        await import('./control-plane.ts');
      const { apiType, setNodeOnFirstMessageOnly } = ads;
      const isDelta = apiType === ApiConfigSource_ApiType.DELTA_GRPC;
      if (!isDelta && apiType !== ApiConfigSource_ApiType.GRPC) {
        throw new FlotillaError(
          'invalid',
          'dynamic_resources.ads_config.api_type: only GRPC and DELTA_GRPC are supported',
        );
      }
      const cluster = await grpcCluster(target.value.clusterName);
      const streaming = { cluster, node: nodeOf(bootstrap), apply, clock, random, logger, stats };
      return isDelta
        ? openDiscoveryStream(deltaDialect(), streaming)
        : openDiscoveryStream(sotwDialect({ repeatsNode: !setNodeOnFirstMessageOnly }), streaming);
    },
    openSds(clusterName, secretName) {
      if (!statics.some((cluster) => cluster.name === clusterName)) {
        throw new FlotillaError('invalid', `secret "${secretName}": unknown static cluster "${clusterName}"`);
      }
      let client: { close(): void } | null = null;
      let isStopped = false;
      const open = async (): Promise<void> => {
        const [{ openSdsClient }, cluster] = await Promise.all([
          import('./control-plane.ts'),
          grpcCluster(clusterName),
        ]);
        if (isStopped) return;
        const secret = secrets.holder(secretName);
        client = openSdsClient({ cluster, node: nodeOf(bootstrap), secret, clock, random, logger });
      };
      open().catch((error: unknown) => {
        logger.error('cannot open SDS', { secret: secretName, reason: FlotillaError.from(error).message });
      });
      return {
        close() {
          isStopped = true;
          client?.close();
        },
      };
    },
  };
}

/** Clusters that carry the control plane, dialled by its streams and not by requests. */
export function controlClusterNames(bootstrap: Bootstrap): Set<string> {
  // Istio's name for the agent that serves SDS beside the proxy.
  const names = new Set(['sds-grpc']);
  for (const { targetSpecifier } of bootstrap.dynamicResources?.adsConfig?.grpcServices ?? []) {
    if (targetSpecifier.case === 'envoyGrpc') names.add(targetSpecifier.value.clusterName);
  }
  return names;
}

function nodeOf(bootstrap: Bootstrap): Node {
  if (bootstrap.node === undefined || bootstrap.node.id === '') {
    throw new FlotillaError('invalid', 'node.id is needed for dynamic resources');
  }
  return bootstrap.node;
}
