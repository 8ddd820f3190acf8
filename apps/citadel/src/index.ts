export { startCitadel, type Citadel, type CitadelOptions } from './start.ts';
export { citadelService } from './service.ts';
export { createBootstrapToken, createMeshKeys, type MeshKeys } from './secrets.ts';
