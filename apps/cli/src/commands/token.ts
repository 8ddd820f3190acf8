import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { FlotillaError, parseDurationMs } from '@flotilla/runtime';
import { type ApiOptions, call, openApi } from './client.ts';

export interface TokenOptions extends ApiOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ttl: string;
}

/** `flotilla token`: prints a bootstrap token bound to one namespace and service account. */
export async function token(options: TokenOptions): Promise<void> {
  const ttlMs = parseDurationMs(options.ttl);
  if (ttlMs <= 0) throw new FlotillaError('usage', '--ttl must be longer than nothing');
  const api = openApi(options);
  const response = await call(api, () =>
    api.client(CitadelService).createToken({
      namespace: options.namespace,
      serviceAccount: options.serviceAccount,
      ttl: { seconds: BigInt(Math.ceil(ttlMs / 1000)), nanos: 0 },
    }),
  );
  console.log(response.token);
}
