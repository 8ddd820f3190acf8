import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { resource, type ScriptedAds, type ScriptedStream } from '../../../apps/proxy/src/journeys/scripted-ads.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const registry = createRegistry(HttpConnectionManagerSchema, RouterSchema);
const ads = { ads: {}, resource_api_version: 'V3' };

/** A proxy that takes everything from ADS. */
export function bootstrap(adsPort: number): string {
  return `
node: { id: soak, cluster: soak }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
dynamic_resources:
  ads_config: { api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{ envoy_grpc: { cluster_name: ads } }] }
  cds_config: { ads: {}, resource_api_version: V3 }
  lds_config: { ads: {}, resource_api_version: V3 }
static_resources:
  clusters:
    - name: ads
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
      load_assignment: { cluster_name: ads, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${adsPort} } } } }] }] }
`;
}

export interface SoakPorts {
  readonly listener: number;
  /** Two that answer the same; hosts come and go between them. */
  readonly good: readonly [number, number];
  readonly bad: number;
}

/** Serves the mesh of the soak, and changes a part of it each time it is asked to. */
export class ChangingMesh {
  readonly #ports: SoakPorts;
  readonly #streams = new Set<ScriptedStream>();
  #version = 0;

  constructor(server: ScriptedAds, ports: SoakPorts) {
    this.#ports = ports;
    // Ends when the server is closed.
    this.#serve(server).catch(() => undefined);
  }

  async #serve(server: ScriptedAds): Promise<void> {
    for (;;) {
      const stream = await server.stream();
      stream.send('CDS', [this.#cluster('good'), this.#cluster('bad')]);
      await stream.request('EDS');
      stream.send('EDS', [this.#endpoints('good', this.#ports.good), this.#endpoints('bad', [this.#ports.bad])]);
      stream.send('LDS', [this.#listener()]);
      await stream.request('RDS');
      stream.send('RDS', [this.#routes()]);
      this.#streams.add(stream);
    }
  }

  /** Routes, hosts, a cluster's settings, a cluster that comes and goes; now and then the listener. */
  change(): void {
    const turn = ++this.#version;
    const { good } = this.#ports;
    for (const stream of this.#streams) {
      if (turn % 4 === 0) stream.send('RDS', [this.#routes()]);
      else if (turn % 4 === 1) stream.send('EDS', [this.#endpoints('good', turn % 8 === 1 ? [good[0]] : good)]);
      else if (turn % 4 === 2) stream.send('CDS', [this.#cluster('good')]);
      else if (turn % 8 === 3) stream.send('CDS', [this.#cluster('passing')]);
      else stream.send('CDS', [], ['passing']);
      if (turn % 20 === 0) stream.send('LDS', [this.#listener()]);
    }
  }

  #cluster(name: string) {
    const json = {
      name,
      type: 'EDS',
      connect_timeout: `${1 + (this.#version % 5) / 10}s`,
      eds_cluster_config: { eds_config: ads },
      circuit_breakers: {
        thresholds: [{ max_connections: 10_000, max_pending_requests: 10_000, max_requests: 10_000 }],
      },
    };
    return resource(name, String(this.#version), ClusterSchema, fromJson(ClusterSchema, json, { registry }));
  }

  #endpoints(name: string, ports: readonly number[]) {
    const lb_endpoints = ports.map((port_value) => ({
      endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
    }));
    const json: JsonValue = { cluster_name: name, endpoints: [{ lb_endpoints }] };
    const message = fromJson(ClusterLoadAssignmentSchema, json, { registry });
    return resource(name, String(this.#version), ClusterLoadAssignmentSchema, message);
  }

  #listener() {
    const manager = {
      '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: `soak_${this.#version % 2}`,
      rds: { route_config_name: 'routes', config_source: ads },
      request_headers_timeout: '5s',
      http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }],
    };
    const json = {
      name: 'soak',
      address: { socket_address: { address: '127.0.0.1', port_value: this.#ports.listener } },
      filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
    };
    return resource('soak', String(this.#version), ListenerSchema, fromJson(ListenerSchema, json, { registry }));
  }

  #routes() {
    const retry_policy = { retry_on: 'connect-failure,refused-stream,reset-before-request', num_retries: 2 };
    const json: JsonValue = {
      name: 'routes',
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            { match: { prefix: '/bad' }, route: { cluster: 'bad', timeout: '0.5s' } },
            { match: { path: `/version-${this.#version}` }, direct_response: { status: 204 } },
            { match: { prefix: '/' }, route: { cluster: 'good', timeout: '20s', retry_policy } },
          ],
        },
      ],
    };
    return resource(
      'routes',
      String(this.#version),
      RouteConfigurationSchema,
      fromJson(RouteConfigurationSchema, json, { registry }),
    );
  }
}
