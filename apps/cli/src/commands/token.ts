import { type ApiOptions, openMesh } from './client.ts';
import { durationOption } from './option-values.ts';

export interface TokenOptions extends ApiOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ttl: string;
}

/** `flotilla token`: prints a bootstrap token bound to one namespace and service account. */
export async function token(options: TokenOptions): Promise<void> {
  const ttlMs = durationOption('--ttl', options.ttl);
  const response = await openMesh(options).citadel.createToken({
    namespace: options.namespace,
    serviceAccount: options.serviceAccount,
    ttl: { seconds: BigInt(Math.ceil(ttlMs / 1000)), nanos: 0 },
  });
  console.log(response.token);
}
