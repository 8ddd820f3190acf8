import { ApiConfigSource_ApiType, ApiVersion } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { SdsSecretConfigSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { type Init, milliseconds } from '../protobuf.ts';

export type SdsSecret = Init<typeof SdsSecretConfigSchema>;

/** The workload's certificate and key, from its agent. */
export const WORKLOAD_CERTIFICATE: SdsSecret = fromAgent('default');
/** The roots that the mesh trusts, from the agent. */
export const TRUST_BUNDLE: SdsSecret = fromAgent('ROOTCA');

/** A secret that the agent beside the proxy serves as cluster `sds-grpc`; pilot never sees it. */
function fromAgent(name: string): SdsSecret {
  return {
    name,
    sdsConfig: {
      resourceApiVersion: ApiVersion.V3,
      // The agent has the secret, or the proxy waits for it: starting without is of no use.
      initialFetchTimeout: milliseconds(0),
      configSourceSpecifier: {
        case: 'apiConfigSource',
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'sds-grpc' } } }],
        },
      },
    },
  };
}
