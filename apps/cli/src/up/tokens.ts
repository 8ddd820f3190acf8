import type { MeshClient } from '@flotilla/client';
import type { WorkloadIdentity } from '../mesh-file/mesh-file.ts';

// For the start that follows at once; the next one gets a new token.
const TOKEN_TTL_SECONDS = 120n;

/** A token for one start of this workload's proxy, and for nobody else. */
export async function createWorkloadToken(mesh: MeshClient, workload: WorkloadIdentity): Promise<string> {
  const { namespace, serviceAccount, name } = workload;
  const response = await mesh.citadel.createToken({
    namespace,
    serviceAccount,
    workload: name,
    ttl: { seconds: TOKEN_TTL_SECONDS, nanos: 0 },
  });
  return response.token;
}
