import { durationMs } from '@bufbuild/protobuf/wkt';
import type { GrpcService } from '@flotilla/wire/envoy/config/core/v3/grpc_service_pb.js';
import type { GrpcTarget } from './call.ts';
import { refuse, refuseWhen } from '@flotilla/envoy';

/** Compiles an `envoy_grpc` service. `defaultTimeoutMs` counts where neither has one. Throws `invalid`. */
export function compileGrpcTarget(
  service: GrpcService | undefined,
  defaultTimeoutMs: number,
  path: string,
): GrpcTarget {
  const target = service?.targetSpecifier;
  if (service === undefined || target?.case === undefined) return refuse(path, 'is missing');
  if (target.case === 'googleGrpc') return refuse(`${path}.google_grpc`, 'is not supported', 'Use envoy_grpc.');
  refuseWhen(service.retryPolicy !== undefined, `${path}.retry_policy`);
  refuseWhen(target.value.retryPolicy !== undefined, `${path}.envoy_grpc.retry_policy`);
  if (target.value.clusterName === '') refuse(`${path}.envoy_grpc.cluster_name`, 'is empty');
  return {
    cluster: target.value.clusterName,
    authority: target.value.authority,
    metadata: service.initialMetadata.map(({ key, value }) => [key.toLowerCase(), value]),
    timeoutMs: service.timeout === undefined ? defaultTimeoutMs : durationMs(service.timeout),
  };
}
