import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { MAX_REGEX_PROGRAM_SIZE } from '@flotilla/match';

/** A resource as JSON, to be judged by Envoy. */
export interface Exhibit {
  /** Unique among those that are judged together. */
  readonly id: string;
  readonly type: 'CDS' | 'EDS' | 'LDS' | 'RDS';
  readonly resource: JsonObject;
}

/**
 * What an Envoy refuses of resources (`--mode validate`), by id, with its reason. All are in one bootstrap; when Envoy
 * refuses it, which it does with one reason, the halves are asked, until `most` have been found.
 */
export function refusedByEnvoy(
  path: string,
  exhibits: readonly Exhibit[],
  most = Infinity,
): ReadonlyMap<string, string> {
  const refused = new Map<string, string>();
  const judge = (some: readonly Exhibit[]): void => {
    if (some.length === 0 || refused.size >= most) return;
    const reason = validate(path, some);
    if (reason === null) return;
    const [first] = some;
    if (some.length === 1 && first !== undefined) {
      refused.set(first.id, reason);
      return;
    }
    const half = some.length >> 1;
    judge(some.slice(0, half));
    judge(some.slice(half));
  };
  judge(exhibits);
  return refused;
}

/** `null`: Envoy takes them. Throws when it neither takes nor refuses them. */
function validate(path: string, exhibits: readonly Exhibit[]): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-judge-'));
  try {
    const bootstrap = join(folder, 'bootstrap.json');
    writeFileSync(bootstrap, JSON.stringify(bootstrapOf(exhibits)));
    const run = spawnSync(path, ['--mode', 'validate', '-c', bootstrap, '-l', 'critical', '--concurrency', '1'], {
      encoding: 'utf8',
    });
    if (run.status === 0) return null;
    const text = `${run.stdout}${run.stderr}`.trim();
    if (run.status !== 1 || text === '') throw new Error(`envoy ended with ${run.status ?? run.signal}: ${text}`);
    return text;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function bootstrapOf(exhibits: readonly Exhibit[]): JsonObject {
  const listeners: JsonObject[] = [];
  const clusters: JsonObject[] = [XDS];
  exhibits.forEach(({ type, resource }, index) => {
    const name = `exhibit-${index}`;
    // Where one bootstrap would have it twice; nothing is bound in this mode.
    const address = { socket_address: { address: '127.0.0.1', port_value: 10_000 + index } };
    switch (type) {
      case 'CDS':
        clusters.push({ ...resource, name });
        break;
      case 'EDS':
        clusters.push({ name, load_assignment: { ...resource, clusterName: name }, type: 'STATIC' });
        break;
      case 'LDS':
        listeners.push({ ...resource, name, address, additionalAddresses: [] });
        break;
      case 'RDS':
        listeners.push({ name, address, filter_chains: [{ filters: [connectionManager(resource)] }] });
    }
  });
  return {
    node: { id: 'judge', cluster: 'judge' },
    dynamic_resources: {
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
    },
    // As Istio sets it, and the agent beside a proxy.
    layered_runtime: {
      layers: [{ name: 'static', static_layer: { 're2.max_program_size.error_level': MAX_REGEX_PROGRAM_SIZE } }],
    },
    static_resources: { listeners, clusters },
  };
}

const XDS: JsonObject = {
  name: 'xds',
  type: 'STATIC',
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

function connectionManager(routes: JsonObject): JsonObject {
  const filter = (name: string, type: string): JsonObject => ({
    name,
    typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.http.${type}` },
  });
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'judge',
      route_config: routes,
      http_filters: [
        filter('envoy.filters.http.fault', 'fault.v3.HTTPFault'),
        filter('envoy.filters.http.cors', 'cors.v3.Cors'),
        filter('envoy.filters.http.router', 'router.v3.Router'),
      ],
    },
  };
}
