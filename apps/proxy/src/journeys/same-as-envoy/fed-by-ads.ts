import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type Listener, ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { type ScriptedAds, startScriptedAds } from '../scripted-ads.ts';
import { startEnvoy, startOurs, type Subject } from './subjects.ts';

/** `api_type` of the stream. */
export type Variant = 'DELTA_GRPC' | 'GRPC';

/** What a script does with a proxy that is fed by ADS; `starting` resolves when the proxy is ready. */
export type Script<T> = (ads: ScriptedAds, starting: Promise<Subject>) => Promise<T>;

/** Runs the same script with Envoy and with our proxy, and gives what came of it. */
export async function feedBoth<T>(
  program: string,
  variant: Variant,
  script: Script<T>,
): Promise<{ envoys: T; ours: T }> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-ads-'));
  try {
    const envoys = await feed(folder, variant, (file) => startEnvoy(program, file, join(folder, 'admin')), script);
    const ours = await feed(folder, variant, startOurs, script);
    return { envoys, ours };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function feed<T>(
  folder: string,
  variant: Variant,
  start: (file: string) => Promise<Subject>,
  script: Script<T>,
): Promise<T> {
  const ads = await startScriptedAds();
  const file = join(folder, 'bootstrap.yaml');
  await writeFile(file, bootstrapYaml(ads.port, variant));
  const starting = start(file);
  try {
    return await script(ads, starting);
  } finally {
    await (await starting).close();
    await ads.close();
  }
}

/** A listener on a port of the system's choice with one connection manager. */
export function listenerWith(name: string, manager: HttpConnectionManager): Listener {
  return create(ListenerSchema, {
    name,
    address: {
      address: {
        case: 'socketAddress',
        value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: 0 } },
      },
    },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) },
          },
        ],
      },
    ],
  });
}

function bootstrapYaml(port: number, variant: Variant): string {
  return `
node: { id: "sidecar~127.0.0.1~web.default~default.svc.cluster.local", cluster: web }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
dynamic_resources:
  ads_config:
    api_type: ${variant}
    transport_api_version: V3
    grpc_services: [{ envoy_grpc: { cluster_name: xds } }]
  cds_config: { resource_api_version: V3, ads: {} }
  lds_config: { resource_api_version: V3, ads: {} }
static_resources:
  clusters:
    - name: xds
      type: STATIC
      connect_timeout: 1s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
      load_assignment:
        cluster_name: xds
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]
`;
}
