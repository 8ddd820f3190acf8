import { describe, expect, it } from 'vitest';
import { decodeBootstrap, formatFault } from './decode.ts';

async function faultsOf(text: string): Promise<string[]> {
  const decoded = await decodeBootstrap(text, 'envoy.yaml');
  return (decoded.faults ?? []).map(formatFault);
}

describe('bootstrap files', () => {
  it('reads YAML with anchors, snake and camel case, and typed configuration', async () => {
    const decoded = await decodeBootstrap(
      `
node: { id: n1, cluster: c1 }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  clusters:
    - &base
      name: one
      connectTimeout: 0.25s
      type: STATIC
    - <<: *base
      name: two
  listeners:
    - name: l
      filter_chains:
        - filters:
            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: tcp
                cluster: one
`,
      'envoy.yaml',
    );
    expect(decoded.faults).toBeNull();
    expect(
      decoded.bootstrap?.staticResources?.clusters.map(({ name, connectTimeout }) => [name, connectTimeout]),
    ).toMatchObject([
      ['one', { nanos: 250_000_000 }],
      ['two', { nanos: 250_000_000 }],
    ]);
    expect(decoded.bootstrap?.staticResources?.listeners[0]?.filterChains[0]?.filters[0]?.configType).toMatchObject({
      case: 'typedConfig',
      value: { typeUrl: 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy' },
    });
  });

  it('reads JSON', async () => {
    expect((await decodeBootstrap('{"node":{"id":"x"}}', 'envoy.json')).bootstrap?.node?.id).toBe('x');
  });

  it('reads an empty file as an empty bootstrap', async () => {
    expect((await decodeBootstrap('', 'envoy.yaml')).faults).toBeNull();
  });

  it('reports every fault with line, column and field path', async () => {
    expect(
      await faultsOf(
        `node:
  id: 5
static_resources:
  clusters:
    - name: one
      connect_timeout: fast
      typo: 1
      lb_policy: BEST
      load_assignment:
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: a, port_value: no } } }
  listeners:
    - filter_chains:
        - filters:
            - name: x
              typed_config: { "@type": type.googleapis.com/no.such.Type }
            - name: y
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                cluster: a
                weighted_clusters: {}
                typo: 2
`,
      ),
    ).toEqual([
      expect.stringMatching(/^envoy.yaml:2:3: node.id: expected string/),
      expect.stringMatching(/^envoy.yaml:6:7: static_resources.clusters\[0\].connect_timeout: /),
      'envoy.yaml:7:7: static_resources.clusters[0].typo: unknown field "typo" in envoy.config.cluster.v3.Cluster',
      expect.stringMatching(/^envoy.yaml:8:7: static_resources.clusters\[0\].lb_policy: .*BEST/),
      expect.stringMatching(/^envoy.yaml:12:\d+: static_resources.*\.port_value: /),
      'envoy.yaml:17:31: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.@type: unknown or unsupported type "no.such.Type"',
      expect.stringContaining('"weighted_clusters" and "cluster" exclude each other (cluster_specifier)'),
      expect.stringContaining('unknown field "typo" in envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'),
    ]);
  });

  it.each([
    ['an unclosed bracket', 'node: [', /^envoy.yaml:1:\d+: /],
    ['a key twice', 'node: {}\nnode: {}', /^envoy.yaml:2:1: .*unique/i],
    ['a list at the top', '- 1', /expected an object/],
    ['an alias bomb', `a: &a [1]\n${'b'}: [*c]`, /envoy.yaml:/],
  ])('refuses %s', async (_name, text, message) => {
    expect((await faultsOf(text))[0]).toMatch(message);
  });
});
