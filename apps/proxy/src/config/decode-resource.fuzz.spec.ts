import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack, AnySchema } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { TypedExtensionConfigSchema } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { DiscoveryResponseSchema, ResourceSchema } from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { SecretSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeCluster,
  decodeEndpoints,
  decodeExtension,
  decodeListener,
  decodeRoutes,
  decodeSecretResource,
} from './decode-resource.ts';
import { sotwDialect } from './sotw-dialect.ts';

const NAME = 'a';
const routes = {
  name: NAME,
  virtualHosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [
        {
          name: 'r',
          match: { pathSpecifier: { case: 'prefix' as const, value: '/' } },
          action: { case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value: 'c' } } },
        },
      ],
    },
  ],
};
const manager = create(HttpConnectionManagerSchema, {
  statPrefix: 'x',
  routeSpecifier: { case: 'routeConfig', value: routes },
});

/** As it stands in a response of a state-of-the-world stream. */
function readWrapped(_name: string, any: Any): unknown {
  return sotwDialect({ repeatsNode: false }).read('CDS', create(DiscoveryResponseSchema, { resources: [any] }));
}

const KINDS: readonly { readonly decode: (name: string, resource: Any) => unknown; readonly whole: Any }[] = [
  { decode: decodeCluster, whole: anyPack(ClusterSchema, create(ClusterSchema, { name: NAME, altStatName: 'b' })) },
  {
    decode: decodeEndpoints,
    whole: anyPack(
      ClusterLoadAssignmentSchema,
      create(ClusterLoadAssignmentSchema, { clusterName: NAME, endpoints: [{ lbEndpoints: [{}], priority: 1 }] }),
    ),
  },
  {
    decode: decodeListener,
    whole: anyPack(
      ListenerSchema,
      create(ListenerSchema, {
        name: NAME,
        filterChains: [
          {
            filters: [
              {
                name: 'http',
                configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) },
              },
            ],
          },
        ],
      }),
    ),
  },
  {
    decode: decodeExtension,
    whole: anyPack(
      TypedExtensionConfigSchema,
      create(TypedExtensionConfigSchema, { name: NAME, typedConfig: anyPack(HttpConnectionManagerSchema, manager) }),
    ),
  },
  {
    decode: readWrapped,
    whole: anyPack(
      ResourceSchema,
      create(ResourceSchema, {
        name: NAME,
        version: '1',
        ttl: { seconds: 1n },
        resource: anyPack(ClusterSchema, create(ClusterSchema, { name: NAME })),
      }),
    ),
  },
  { decode: decodeRoutes, whole: anyPack(RouteConfigurationSchema, create(RouteConfigurationSchema, routes)) },
  { decode: decodeSecretResource, whole: anyPack(SecretSchema, create(SecretSchema, { name: NAME })) },
];

/** Whole, or refused with the reason. */
function decodes(kind: (typeof KINDS)[number], value: Uint8Array): void {
  try {
    expect(kind.decode(NAME, create(AnySchema, { typeUrl: kind.whole.typeUrl, value }))).toBeTypeOf('object');
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid' });
  }
}

describe('resources of discovery', () => {
  const kinds = fc.constantFrom(...KINDS);

  it('are decoded as they were sent', () => {
    for (const { decode, whole } of KINDS) expect(decode(NAME, whole)).toBeTypeOf('object');
  });

  it('are refused with the reason when bytes of them changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(kinds, changes, fc.nat(), (kind, list, cut) => {
        const value = Uint8Array.from(kind.whole.value);
        for (const [position, byte] of list) value[position % value.length] = byte;
        decodes(kind, value.subarray(0, value.length - (cut % 4)));
      }),
      fuzz(1_000),
    );
  });

  it('are refused with the reason when they are any bytes, or another message', () => {
    const others = KINDS.map(({ whole }) => toBinary(AnySchema, whole));
    fc.assert(
      fc.property(kinds, fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...others)), decodes),
      fuzz(1_000),
    );
  });
});
