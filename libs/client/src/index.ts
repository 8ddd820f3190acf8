export { connectMesh, type MeshClient } from './connect-mesh.ts';
export type { MeshOptions } from './servers.ts';
export { environmentOptions, readSetting } from './environment.ts';
export { isSynced, workloadOf, type PilotClient, type PilotReport } from './proxies.ts';
export { RefusedByProxiesError, type Refusal, type WaitForSyncOptions } from './sync.ts';
export { mayStand, RefusedChangeError } from './failure.ts';
export { formatFinding, formatReport, isError, severityOf } from './findings.ts';
export { FlotillaError } from '@flotilla/runtime';
