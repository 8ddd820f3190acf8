import { describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { LeastRequestSchema } from '@flotilla/wire/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { compileCluster } from './cluster-settings.ts';
import { type Fields, lbEndpoint } from './journeys/world.ts';

type ClusterFields = Fields<typeof ClusterSchema>;

function compile(fields: ClusterFields) {
  return compileCluster(create(ClusterSchema, { name: 'c', ...fields }));
}

function protocolOptions(options: MessageInitShape<typeof HttpProtocolOptionsSchema>): ClusterFields {
  const any = anyPack(HttpProtocolOptionsSchema, create(HttpProtocolOptionsSchema, options));
  return {
    typedExtensionProtocolOptions: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any },
  };
}

function tls(context: MessageInitShape<typeof UpstreamTlsContextSchema>): ClusterFields {
  const value = anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, context));
  return { transportSocket: { name: 'tls', configType: { case: 'typedConfig', value } } };
}

describe('compileCluster', () => {
  it("gives Envoy's defaults", () => {
    const { breakers, pool, discovery, balancing } = compile({});
    expect(breakers.default).toMatchObject({
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
    });
    expect(pool).toMatchObject({ connectTimeoutMs: 5_000, idleTimeoutMs: 3_600_000, maxRequestsPerConnection: 0 });
    expect(discovery).toEqual({ kind: 'static', groups: [] });
    expect(balancing).toMatchObject({ usesLocalityWeights: false, panicThreshold: 50 });
  });

  it('reads connection limits from the HTTP options before the older fields', () => {
    const { pool } = compile({
      ...protocolOptions({
        commonHttpProtocolOptions: { idleTimeout: { seconds: 3n }, maxRequestsPerConnection: 5 },
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { http2ProtocolOptions: {} } },
      }),
      commonHttpProtocolOptions: { idleTimeout: { seconds: 9n } },
      maxRequestsPerConnection: 9,
    });
    expect(pool).toMatchObject({ idleTimeoutMs: 3_000, maxRequestsPerConnection: 5 });
  });

  it('knows the service that the cluster stands for', () => {
    const services = [{ host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' }];
    expect(compile({ metadata: { filterMetadata: { istio: { services } } } }).destinationService).toEqual(services[0]);
    expect(compile({ metadata: { filterMetadata: { istio: { services: 'x' } } } }).destinationService).toBeNull();
  });

  it('takes the first known policy of a list', () => {
    const policy = (typeUrl: string) => ({ typedExtensionConfig: { name: 'x', typedConfig: { typeUrl } } });
    const known = anyPack(LeastRequestSchema, create(LeastRequestSchema, { choiceCount: 3 }));
    expect(() =>
      compile({
        loadBalancingPolicy: {
          policies: [policy('type.googleapis.com/a.B'), { typedExtensionConfig: { name: 'lr', typedConfig: known } }],
        },
      }),
    ).not.toThrow();
    expect(() => compile({ loadBalancingPolicy: { policies: [policy('type.googleapis.com/a.B')] } })).toThrow(
      /load_balancing_policy: none of the policies is supported: x/,
    );
  });

  it.each<[string, ClusterFields, RegExp]>([
    ['no name', { name: '' }, /name: is empty/],
    [
      'HTTP/3',
      protocolOptions({
        upstreamProtocolOptions: {
          case: 'explicitHttpConfig',
          value: { protocolConfig: { case: 'http3ProtocolOptions', value: {} } },
        },
      }),
      /explicit_http_config.http3_protocol_options: is not supported: HTTP\/3 is not spoken/,
    ],
    [
      'an HTTP/2 window that is too small',
      { http2ProtocolOptions: { initialStreamWindowSize: 1000 } },
      /http2_protocol_options.initial_stream_window_size: 1000 is not in 65535 to/,
    ],
    ['unknown protocol options', { typedExtensionProtocolOptions: { x: {} } }, /protocol_options\["x"\]: is not supp/],
    ['a health check without interval', { healthChecks: [{}] }, /health_checks\[0\].interval: is missing or 0/],
    [
      'a Maglev table whose size is no prime',
      { lbPolicy: 5, lbConfig: { case: 'maglevLbConfig', value: { tableSize: 65_536n } } },
      /table_size: 65536 is not a prime/,
    ],
    [
      'another cluster type',
      { clusterDiscoveryType: { case: 'clusterType', value: { name: 'x' } } },
      /cluster_type: "x"/,
    ],
    [
      'a name in a STATIC cluster',
      {
        loadAssignment: {
          endpoints: [
            {
              lbEndpoints: [
                {
                  hostIdentifier: {
                    case: 'endpoint',
                    value: { address: { address: { case: 'socketAddress', value: { address: 'a.b' } } } },
                  },
                },
              ],
            },
          ],
        },
      },
      /load_assignment: endpoints\[0\]\.lb_endpoints\[0\]\.endpoint\.address: "a\.b" is not an IP address/,
    ],
    [
      'two endpoints in LOGICAL_DNS',
      {
        clusterDiscoveryType: { case: 'type', value: 2 },
        loadAssignment: { endpoints: [{ lbEndpoints: [lbEndpoint(1), lbEndpoint(2)] }] },
      },
      /load_assignment: must hold exactly one endpoint/,
    ],
    ['another transport', { transportSocket: { name: 'quic' } }, /transport_socket.typed_config: is missing/],
    [
      'names without anchors',
      tls({
        commonTlsContext: {
          validationContextType: {
            case: 'validationContext',
            value: {
              matchTypedSubjectAltNames: [
                { sanType: 3, matcher: { matchPattern: { case: 'exact', value: 'spiffe://a' } } },
              ],
            },
          },
        },
      }),
      /validation_context\.trusted_ca: is missing/,
    ],
    ['renegotiation', tls({ allowRenegotiation: true }), /transport_socket: allow_renegotiation: is not supported/],
  ])('refuses %s, naming cluster and field', (_case, fields, message) => {
    expect(() => compile(fields)).toThrow(message);
    expect(() => compile(fields)).toThrow(/^cluster "/);
  });
});
