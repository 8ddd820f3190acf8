import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { type ApiClient, call } from '../commands/client.ts';
import type { WorkloadIdentity } from '../mesh-file/mesh-file.ts';

// Long enough for a proxy that crashes a day after the start and has no certificate left to renew with.
const TOKEN_TTL_SECONDS = 7n * 24n * 3600n;

export async function createWorkloadToken(api: ApiClient, workload: WorkloadIdentity): Promise<string> {
  const { namespace, serviceAccount } = workload;
  const response = await call(() =>
    api
      .client(CitadelService)
      .createToken({ namespace, serviceAccount, ttl: { seconds: TOKEN_TTL_SECONDS, nanos: 0 } }),
  );
  return response.token;
}
