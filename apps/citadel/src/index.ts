export { startCitadel, type Citadel, type CitadelOptions } from './start.ts';
export { citadelService } from './service.ts';
export { createReusableToken, createMeshKeys, type MeshKeys } from './secrets.ts';
