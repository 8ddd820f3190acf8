export { type Exhibit, refusedByEnvoy } from './envoy-judge.ts';
export { exhibitsOf } from './exhibits.ts';
export { readResources } from './documents.ts';
export { meshConfig, type NodeInit, routerNode, type SidecarOptions, sidecarNode, workloadGroup } from './nodes.ts';
export type { GeneratedType } from '../translate/draft.ts';
export { meshOf, proxyOf, translate, type Translation } from './translation.ts';
