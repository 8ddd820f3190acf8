export { serveRpc, type ServeRpcOptions, type RpcServer } from './server/serve.ts';
export type { ServerTls } from './server/listen-tls.ts';
export type { NodeHandler, NodeRequest, NodeResponse } from '@flotilla/http-port';
export type { Routes } from './server/router.ts';
export { createHealthStatus, type HealthStatus } from './server/health.ts';
export { createInMemoryTransport } from './server/in-memory.ts';
export { callerOf, type Caller, type Peer } from './caller.ts';
export { toConnectError, fromConnectError } from './errors.ts';
