export { runAgent } from './agent/run-agent.ts';
export { startAgent, type Agent, type AgentOptions, type AgentPort } from './agent/start-agent.ts';
export { runProxy, type RunProxyOptions } from './process/run-proxy.ts';
