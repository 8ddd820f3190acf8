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
