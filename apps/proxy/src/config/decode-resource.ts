import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { FlotillaError } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { TypedExtensionConfigSchema } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { SecretSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { decodeBytes, requireValid } from '@flotilla/envoy';

/** Decoders of the discovery types: the bytes of a resource to its message, whose own name must be the resource's. */
export const decodeCluster = decoder(ClusterSchema, (cluster) => cluster.name);
export const decodeEndpoints = decoder(ClusterLoadAssignmentSchema, (assignment) => assignment.clusterName);
export const decodeExtension = decoder(TypedExtensionConfigSchema, (extension) => extension.name);
export const decodeListener = decoder(ListenerSchema, (listener) => listener.name);
export const decodeRoutes = decoder(RouteConfigurationSchema, (routes) => routes.name);
export const decodeSecretResource = decoder(SecretSchema, (secret) => secret.name);

/** Throws `invalid` for another type, bytes that are not of it, another name, or a field that breaks a constraint. */
function decoder<D extends DescMessage>(
  schema: D,
  nameOf: (message: MessageShape<D>) => string,
): (name: string, resource: Any | null) => MessageShape<D> {
  return (name, resource) => {
    if (resource === null) throw new FlotillaError('invalid', 'the resource is empty');
    if (!resource.typeUrl.endsWith(`/${schema.typeName}`)) {
      throw new FlotillaError('invalid', `expected ${schema.typeName}, found ${resource.typeUrl}`);
    }
    const message = decodeBytes(schema, resource.value);
    if (nameOf(message) !== name) {
      throw new FlotillaError('invalid', `the resource is named "${name}", its content "${nameOf(message)}"`);
    }
    requireValid(schema, message);
    return message;
  };
}
