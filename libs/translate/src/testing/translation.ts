import { create, createRegistry, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { formatKey, keyFromWire, toMeshResource } from '@flotilla/model';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import { StdoutAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { CorsPolicySchema, CorsSchema } from '@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js';
import { OriginalDstSchema } from '@flotilla/wire/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js';
import { TlsInspectorSchema } from '@flotilla/wire/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { PreviousPrioritiesConfigSchema } from '@flotilla/wire/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import { PreviousHostsPredicateSchema } from '@flotilla/wire/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js';
import { RawBufferSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { TypedStructSchema } from '@flotilla/wire/xds/type/v3/typed_struct_pb.js';
import type { XdsShortName } from '@flotilla/xds';
import { applyUpdate, emptyMesh, type Mesh } from '../mesh/mesh.ts';
import { parseProxyNode, type ProxyNode } from '../mesh/proxy-node.ts';
import { meshDefaults } from '../mesh/settings.ts';
import { viewOf } from '../mesh/view.ts';
import { ResourceCache } from '../translate/cache.ts';
import { generate, omissions } from '../translate/generate.ts';
import { readResources } from './documents.ts';
import { meshConfig, type NodeInit } from './nodes.ts';

/** Every message that is packed into an `Any` somewhere. */
const PACKED = createRegistry(
  DownstreamTlsContextSchema,
  FileAccessLogSchema,
  CorsPolicySchema,
  CorsSchema,
  HTTPFaultSchema,
  HttpConnectionManagerSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  OriginalDstSchema,
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  RawBufferSchema,
  RouterSchema,
  StdoutAccessLogSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  TypedStructSchema,
  UpstreamTlsContextSchema,
);

const SCHEMAS = {
  CDS: ClusterSchema,
  EDS: ClusterLoadAssignmentSchema,
  LDS: ListenerSchema,
  RDS: RouteConfigurationSchema,
} as const;

export type GeneratedType = keyof typeof SCHEMAS & XdsShortName;

/** The mesh of a YAML text. */
export function meshOf(yaml: string, config: MeshConfig = meshConfig({})): Mesh {
  const empty = emptyMesh({
    config: meshDefaults(config),
    trustDomain: 'cluster.local',
    domainSuffix: 'cluster.local',
    rootNamespace: 'istio-system',
  });
  return applyUpdate(empty, {
    version: 1,
    isSnapshot: true,
    changes: readResources(yaml, 1, 1_700_000_000_000).map((resource) => ({
      key: keyFromWire(resource.key),
      resource: toMeshResource(resource) ?? fail(`${formatKey(keyFromWire(resource.key))} means nothing`),
    })),
  });
}

export function proxyOf(node: NodeInit): ProxyNode {
  return parseProxyNode(create(NodeSchema, node));
}

export interface Translation {
  /** Names of the resources of a type; of EDS and RDS those that clusters and listeners refer to. */
  names(type: GeneratedType): string[];
  /** A resource as JSON, with its extensions unpacked. */
  json(type: GeneratedType, name: string): JsonValue;
  readonly omissions: readonly string[];
}

/** What a proxy is sent of a mesh. */
export function translate(mesh: Mesh, node: ProxyNode): Translation {
  const generation = { view: viewOf(mesh, node, null), node, cache: new ResourceCache() };
  const resources = (type: GeneratedType, names: ReadonlySet<string>) =>
    generate(type, generation, { names, unanswered: new Set() });
  const all = (type: GeneratedType) => resources(type, new Set());
  const json = (type: GeneratedType, name: string): JsonValue => {
    const resource = resources(type, new Set([name])).get(name) ?? fail(`no ${type} ${name}`);
    const schema = SCHEMAS[type];
    return toJson(schema, fromBinary(schema, anyValue(resource.sotw)), { registry: PACKED });
  };
  return {
    json,
    names(type) {
      switch (type) {
        case 'EDS':
          return [...all('CDS').keys()].filter((name) => /"edsConfig"/.test(JSON.stringify(json('CDS', name))));
        case 'RDS': {
          const listeners = [...all('LDS').keys()].map((name) => JSON.stringify(json('LDS', name))).join();
          return [...new Set([...listeners.matchAll(/"routeConfigName":"([^"]+)"/g)].map(([, name = '']) => name))];
        }
        default:
          return [...all(type).keys()];
      }
    },
    omissions: omissions(generation),
  };
}

/** The resource inside the field of a response that holds it as an `Any`. */
function anyValue(field: Uint8Array): Uint8Array {
  // One byte of tag, then the length as a varint.
  const lengthBytes = field.subarray(1).findIndex((byte) => byte < 0x80) + 1;
  return fromBinary(AnySchema, field.subarray(1 + lengthBytes)).value;
}

function fail(message: string): never {
  throw new Error(message);
}
