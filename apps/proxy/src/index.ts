export { startAgent, type Agent, type AgentOptions, type AgentPort } from './agent/start-agent.ts';
export { runProxy, type RunProxyOptions } from './run-proxy.ts';
export { untilParentExits } from './exit-with-parent.ts';
