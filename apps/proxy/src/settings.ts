export { agentSettings } from './agent/settings.ts';
export { captureSettings } from './capture/settings.ts';
export { staticSettings } from './process/static-settings.ts';
