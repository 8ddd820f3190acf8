import { durationMs } from '@bufbuild/protobuf/wkt';
import type { GrpcService } from '@flotilla/wire/envoy/config/core/v3/grpc_service_pb.js';
import type { GrpcTarget } from './call.ts';
import { refuse } from '@flotilla/envoy';

/** Compiles an `envoy_grpc` service. `defaultTimeoutMs` counts where neither has one. Throws `invalid`. */
export function compileGrpcTarget(
  service: GrpcService | undefined,
  defaultTimeoutMs: number,
  path: string,
): GrpcTarget {
  const target = service?.targetSpecifier;
  if (service === undefined || target?.case === undefined) return refuse(path, 'is missing');
  if (target.case === 'googleGrpc') return refuse(`${path}.google_grpc`, 'is not supported', 'Use envoy_grpc.');
  const { clusterName, authority, maxReceiveMessageLength, skipEnvoyHeaders } = target.value;
  if (clusterName === '') refuse(`${path}.envoy_grpc.cluster_name`, 'is empty');
  return {
    cluster: clusterName,
    authority,
    // 0 is no limit (Envoy).
    maxMessageBytes: maxReceiveMessageLength || Infinity,
    sendsEnvoyHeaders: !skipEnvoyHeaders,
    metadata: service.initialMetadata.map(({ key, value }) => [key.toLowerCase(), value]),
    timeoutMs: service.timeout === undefined ? defaultTimeoutMs : durationMs(service.timeout),
  };
}
