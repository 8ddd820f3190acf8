export { createRpcTransport, type RpcTransport, type RpcTransportOptions } from './client/transport.ts';
export type { ClientTls } from './client/connect.ts';
export type { ExpectedServer } from './client/server-identity.ts';
export { fromConnectError } from './errors.ts';
export { type GrpcConnection, type GrpcConnectionOptions, openGrpcConnection } from './client/grpc-connection.ts';
