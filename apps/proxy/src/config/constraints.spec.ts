import { create, type DescMessage, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { describe, expect, it } from 'vitest';
import { loadAllTypes } from '../bootstrap/extension-types.ts';
import { formatPath, violationsOf } from '@flotilla/envoy';

/** `path: reason`, in the order of the fields. */
function violations(schema: DescMessage, json: JsonValue): string[] {
  return violationsOf(schema, fromJson(schema, json)).map(({ path, reason }) => `${formatPath(path)}: ${reason}`);
}

const route = (more: JsonValue) => ({
  name: 'r',
  virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, ...(more as object) }] }],
});

describe("constraints of Envoy's API", () => {
  it('are all known', async () => {
    for (const type of await loadAllTypes()) {
      if (type.kind !== 'message') continue;
      expect(() => violationsOf(type, create(type)), type.typeName).not.toThrow();
    }
  });

  it.each<[string, DescMessage, JsonValue, readonly string[]]>([
    ['a whole message', ClusterSchema, { name: 'a', connect_timeout: '1s' }, []],
    ['a text that is needed', ClusterSchema, { connect_timeout: '1s' }, ['name: is empty']],
    ['a duration', ClusterSchema, { name: 'a', connect_timeout: '0s' }, ['connect_timeout: must be longer than 0']],
    [
      'a number in a wrapper',
      ClusterSchema,
      { name: 'a', ring_hash_lb_config: { maximum_ring_size: 9_000_000 } },
      ['ring_hash_lb_config.maximum_ring_size: 9000000 must be at most 8388608'],
    ],
    [
      'a number of an oneof',
      HTTPFaultSchema,
      { abort: { http_status: 9_999, percentage: { numerator: 1 } } },
      ['abort.http_status: 9999 must be at least 200 and less than 600'],
    ],
    [
      'an oneof that is needed',
      HTTPFaultSchema,
      { abort: {} },
      ['abort.error_type: is missing: set one of http_status, grpc_status, header_abort'],
    ],
    ['an enum', ClusterSchema, { name: 'a', lb_policy: 77 }, ['lb_policy: 77 is not a value of it']],
    [
      'a list, and what is in it',
      RouteConfigurationSchema,
      { name: 'r', virtual_hosts: [{ name: 'v', domains: [] }, { domains: ['a'] }] },
      ['virtual_hosts[0].domains: is empty', 'virtual_hosts[1].name: is empty'],
    ],
    [
      'a message that is needed, deep inside',
      RouteConfigurationSchema,
      { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ direct_response: { status: 200 } }] }] },
      ['virtual_hosts[0].routes[0].match: is missing'],
    ],
    [
      'a name of a header',
      RouteConfigurationSchema,
      route({
        direct_response: { status: 200 },
        request_headers_to_add: [{ header: { key: 'a\nb', value: 'c' } }],
      }),
      ['virtual_hosts[0].routes[0].request_headers_to_add[0].header.key: "a\\nb" is not a name of a header'],
    ],
    [
      'a port',
      ListenerSchema,
      { name: 'l', address: { socket_address: { address: '::1', port_value: 70_000 } } },
      ['address.socket_address.port_value: 70000 must be at most 65535'],
    ],
    [
      'a field deep in a bootstrap',
      BootstrapSchema,
      {
        static_resources: {
          clusters: [{ name: 'a', lb_subset_config: { subset_selectors: [{ fallback_policy: 17 }] } }],
        },
      },
      ['static_resources.clusters[0].lb_subset_config.subset_selectors[0].fallback_policy: 17 is not a value of it'],
    ],
  ])('%s', (_, schema, json, expected) => {
    expect(violations(schema, json)).toEqual(expected);
  });
});
