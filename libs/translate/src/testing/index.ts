export { type Exhibit, refusedByEnvoy } from './envoy-judge.ts';
export { exhibitsOf } from './exhibits.ts';
export { readResources } from './documents.ts';
export { meshConfig, type NodeInit, routerNode, type SidecarOptions, sidecarNode } from './nodes.ts';
export { type GeneratedType, meshOf, proxyOf, translate, type Translation } from './translation.ts';
