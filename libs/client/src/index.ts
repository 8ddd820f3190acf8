export { connectMesh, type MeshClient } from './connect-mesh.ts';
export type { MeshOptions } from './servers.ts';
export { isSynced, workloadOf, type PilotClient, type PilotReport } from './proxies.ts';
export { RefusedByProxiesError, type Refusal, type WaitForSyncOptions } from './sync.ts';
export { RefusedChangeError } from './failure.ts';
export { formatFinding, isError, severityOf } from './findings.ts';
