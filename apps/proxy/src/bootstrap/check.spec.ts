import { expect, it } from 'vitest';
import { checkBootstrap } from './check.ts';
import { decodeBootstrap } from './decode.ts';

async function faultsOf(yaml: string): Promise<string[]> {
  const { bootstrap, faults } = await decodeBootstrap(yaml, 'envoy.yaml');
  if (bootstrap === null) return faults.map(({ message }) => message);
  return checkBootstrap(bootstrap, { cluster: () => undefined, listener: () => undefined }).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );
}

const layer = (values: string) => `layered_runtime: { layers: [{ name: a, static_layer: ${values} }] }`;

it.each([
  ['keys that a configuration may name', layer('{ my.key: 1, mine: { deep: true } }'), []],
  [
    'guards of Envoy’s own changes, and what is so anyway',
    layer(
      '{ envoy: { reloadable_features: { x: false } }, re2.max_program_size.error_level: 32768, overload.global_downstream_max_connections: 2147483647 }',
    ),
    [],
  ],
  [
    'keys that Envoy itself looks up',
    layer('{ upstream.healthy_panic_threshold: 10 }'),
    [
      'layered_runtime.layers.0.static_layer: "upstream.healthy_panic_threshold" is not supported: keys that Envoy itself looks up have their default values',
    ],
  ],
  [
    'keys beside discovery',
    `${layer('{ my.key: 1 }')}\ndynamic_resources: { ads_config: { api_type: DELTA_GRPC } }`,
    [
      'layered_runtime.layers.0.static_layer: "my.key" would not count for what discovery delivers: write the value where the key is named',
    ],
  ],
  [
    'a layer of a disk',
    'layered_runtime: { layers: [{ name: a, disk_layer: { symlink_root: /x } }] }',
    ['layered_runtime.layers.0.disk_layer: is not supported: runtime comes from the bootstrap'],
  ],
])('runtime layers: %s', async (_what, yaml, expected) => {
  expect(await faultsOf(yaml)).toEqual(expected);
});

const adminLog = (path: string) => `
admin:
  address: { socket_address: { address: 127.0.0.1, port_value: 1 } }
  access_log:
    - name: file
      typed_config: { '@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${path} }
`;

it.each([
  ['a log of the admin port that nobody reads', adminLog('/dev/null'), []],
  [
    'a log of the admin port',
    adminLog('/tmp/a'),
    ['admin.access_log.0: is not supported, unless it goes to /dev/null'],
  ],
  [
    'what costs nothing here',
    `
cluster_manager: { enable_deferred_cluster_creation: true }
deferred_stat_options: { enable_deferred_creation_stats: true }
application_log_config: { log_format: { text_format: '%v' } }
`,
    [],
  ],
  [
    'a log of ejections',
    'cluster_manager: { outlier_detection: { event_log_path: /dev/stdout } }',
    [
      'cluster_manager.outlier_detection.event_log_path: is not supported: ejections are shown as statistics and on the admin page, not logged',
    ],
  ],
])('%s', async (_what, yaml, expected) => {
  expect(await faultsOf(yaml)).toEqual(expected);
});
