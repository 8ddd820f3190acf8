import type { MeshClient } from '@flotilla/client';
import type { WorkloadIdentity } from '../mesh-file/mesh-file.ts';

// Long enough for a proxy that crashes a day after the start and has no certificate left to renew with.
const TOKEN_TTL_SECONDS = 7n * 24n * 3600n;

export async function createWorkloadToken(mesh: MeshClient, workload: WorkloadIdentity): Promise<string> {
  const { namespace, serviceAccount } = workload;
  const response = await mesh.citadel.createToken({
    namespace,
    serviceAccount,
    ttl: { seconds: TOKEN_TTL_SECONDS, nanos: 0 },
  });
  return response.token;
}
