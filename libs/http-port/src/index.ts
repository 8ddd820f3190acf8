export { compileGuard, type Guard, type GuardedRequest } from './guard.ts';
export { compileKnownHosts } from './known-host.ts';
export {
  guardHandler,
  type GuardHandlerOptions,
  type NodeHandler,
  type NodeRequest,
  type NodeResponse,
} from './guard-handler.ts';
export { HTTP_PORT_LIMITS } from './limits.ts';
export {
  createHttp1Server,
  HTTP1_OPTIONS,
  type HttpPort,
  type HttpPortOptions,
  openHttpPort,
} from './open-http-port.ts';
export { checkPlaintext, isLoopbackHost, PLAINTEXT_FLAG } from './plaintext.ts';
