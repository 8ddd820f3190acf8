import { create, type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RBACSchema } from '@flotilla/wire/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { describe, expect, it } from 'vitest';
import { unpackValid } from './constraints.ts';
import { formatPath } from './field-path.ts';
import { unsupportedIn } from './unsupported.ts';

/** `path: reason`, in the order of the fields. */
const unsupported = (schema: DescMessage, json: JsonValue): readonly string[] =>
  unsupportedIn(schema, fromJson(schema, json)).map(({ path, reason }) => `${formatPath(path)}: ${reason}`);

const withValidation = { common_tls_context: { validation_context: { verify_certificate_spki: ['a'] } } };

describe('unsupportedIn', () => {
  it.each<[string, DescMessage, JsonValue, readonly string[]]>([
    [
      'what is honoured',
      ClusterSchema,
      { name: 'a', connect_timeout: '1s', outlier_detection: { interval: '1s' } },
      [],
    ],
    ['hints', ListenerSchema, { max_connections_to_accept_per_socket_event: 1, metadata: {} }, []],
    [
      'a field, by the name that Envoy gives it',
      ClusterSchema,
      { lrsServer: { ads: {} } },
      ['lrs_server: is not supported: no load is reported'],
    ],
    [
      'fields of messages in lists and maps',
      RouteConfigurationSchema,
      { virtual_hosts: [{}, { routes: [{ route: { retry_policy: { refresh_cluster_on_retry: true } } }] }] },
      [
        'virtual_hosts[1].routes[0].route.retry_policy.refresh_cluster_on_retry: is not supported: a request stays with the cluster it was sent to',
      ],
    ],
    [
      'what Envoy does beside routing',
      RouteConfigurationSchema,
      { vhds: {}, virtual_hosts: [{ virtual_clusters: [{}], hedge_policy: { initial_requests: 2 } }] },
      [
        'virtual_hosts[0].virtual_clusters: is not supported: no statistics are kept of virtual clusters',
        'virtual_hosts[0].hedge_policy.initial_requests: is not supported: a request begins with one try',
        'vhds: is not supported: virtual hosts come with their table',
      ],
    ],
    [
      'what Envoy does beside balancing',
      ClusterSchema,
      { filters: [{ name: 'x' }], outlier_detection: { monitors: [{}] }, lb_subset_config: { list_as_any: true } },
      [
        'outlier_detection.monitors: is not supported: there are no monitors to choose from',
        'lb_subset_config.list_as_any: is not supported: a list is one value',
        'filters: is not supported: there are no filters of connections to a cluster',
      ],
    ],
    [
      'limits that the HTTP/2 library does not have',
      ClusterSchema,
      { http2_protocol_options: { max_outbound_frames: 1000 } },
      [
        'http2_protocol_options.max_outbound_frames: is not supported: frames that wait to be sent have limits of their own',
      ],
    ],
    [
      'all fields of a bootstrap, wherever they are',
      BootstrapSchema,
      {
        dynamic_resources: { lds_resources_locator: 'xdstp://a/b' },
        static_resources: {
          clusters: [{ stats_matcher: {} }],
          listeners: [{ additional_addresses: [{ socket_options: {} }] }],
        },
      },
      [
        'static_resources.listeners[0].additional_addresses[0].socket_options: is not supported: sockets get no options of their own',
        'static_resources.clusters[0].stats_matcher: is not supported: statistics are chosen for the whole proxy',
        'dynamic_resources.lds_resources_locator: is not supported: resources are named by plain names',
      ],
    ],
    ['a switch that is off', ListenerSchema, { transparent: false, enable_mptcp: false }, []],
    [
      'a value of a field that is honoured otherwise',
      RouterSchema,
      { dynamic_stats: false },
      ['dynamic_stats: false is not supported: statistics of clusters are always kept'],
    ],
    ['its other value', RouterSchema, { dynamic_stats: true }, []],
    ['a value that asks for what is done anyway', ListenerSchema, { tcp_fast_open_queue_length: 0 }, []],
    [
      'another value of it',
      ListenerSchema,
      { tcp_fast_open_queue_length: 1 },
      ['tcp_fast_open_queue_length: is not supported: connections do not begin with data in the SYN'],
    ],
    ['a field that means something here', UpstreamTlsContextSchema, withValidation, []],
    [
      'and nothing there',
      DownstreamTlsContextSchema,
      withValidation,
      [
        'common_tls_context.validation_context.verify_certificate_spki: is not supported: clients are told by the names in their certificates',
      ],
    ],
  ])('%s', (_, schema, json, expected) => {
    expect(unsupported(schema, json)).toEqual(expected);
  });

  it('refuses a message that has no table', () => {
    expect(() => unsupportedIn(RBACSchema, create(RBACSchema))).toThrow(/http\.rbac\.v3\.RBAC has no table/);
  });

  it('is asked whenever something is unpacked', () => {
    const fault = fromJson(HTTPFaultSchema, { filter_metadata: { a: 1 } });
    const any = create(AnySchema, { typeUrl: `a/${fault.$typeName}`, value: toBinary(HTTPFaultSchema, fault) });
    expect(() => unpackValid(any, HTTPFaultSchema)).toThrow('filter_metadata: is not supported');
  });
});
