/**
 * What a proxy needs only when it talks to a control plane. Imported when the bootstrap asks for it, because gRPC
 * costs memory that a proxy with static configuration can do without.
 */
export { deltaDialect } from './delta-dialect.ts';
export { openDiscoveryStream } from './discovery-stream.ts';
export { sotwDialect } from './sotw-dialect.ts';
export { compileGrpcCluster } from './grpc-cluster.ts';
export { openSdsClient } from '../identity/sds-client.ts';
export { secretsOfCluster } from '../identity/secret-references.ts';
export { ApiConfigSource_ApiType } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
