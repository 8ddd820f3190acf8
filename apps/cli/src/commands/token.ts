import { timestampMs } from '@bufbuild/protobuf/wkt';
import { FlotillaError } from '@flotilla/runtime';
import type { Token } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';
import { formatTable } from '../terminal/table.ts';
import { type ApiOptions, openMesh } from './client.ts';
import { durationOption } from './option-values.ts';
import { describeWorkload, type DescriptionOptions } from './workload-description.ts';

export interface CreateTokenOptions extends ApiOptions, DescriptionOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workload?: string;
  readonly uses?: string;
  readonly reusable?: boolean;
  readonly ttl: string;
}

/**
 * `flotilla token create`: prints a bootstrap token bound to one service account, and to one workload of it. What the
 * options say of the workload is written as its WorkloadGroup, which is what its proxies are believed to be.
 */
export async function createToken(options: CreateTokenOptions): Promise<void> {
  const ttlMs = durationOption('--ttl', options.ttl);
  const { namespace, serviceAccount, workload = '', reusable = false } = options;
  const uses = usesOption(options);
  const mesh = openMesh(options);
  const written = await describeWorkload(mesh, { ...options, workload });
  if (written !== null) printMessage(written);
  const response = await mesh.citadel.createToken({
    ...{ namespace, serviceAccount, workload, uses, reusable },
    ttl: { seconds: BigInt(Math.ceil(ttlMs / 1000)), nanos: 0 },
  });
  printLine(response.token);
}

function usesOption({ uses, reusable = false }: CreateTokenOptions): number {
  if (uses === undefined) return reusable ? 0 : 1;
  if (reusable) throw new FlotillaError('usage', '--reusable is for any number of uses: leave --uses out');
  const count = Number(uses);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new FlotillaError('usage', `--uses ${uses} is not a number of uses`);
}

export interface ListTokensOptions extends ApiOptions {
  readonly output?: string;
}

/** `flotilla token list`: what is known of every token, and no token itself. */
export async function listTokens(options: ListTokensOptions): Promise<void> {
  const { tokens } = await openMesh(options).citadel.listTokens({});
  if (options.output === 'json') {
    printLine(JSON.stringify(tokens.map(plainToken), null, 2));
    return;
  }
  printLine(
    formatTable(
      ['ID', 'IDENTITY', 'WORKLOAD', 'USED', 'EXPIRES', 'STATE'],
      tokens.map((token) => [
        token.id,
        token.spiffeId || '(not seen yet)',
        token.workload || '(any)',
        token.uses === 0 ? (token.used > 0 ? 'yes' : 'no') : `${token.used} of ${token.uses}`,
        timeOf(token.expiresAt) ?? '',
        stateOf(token),
      ]),
    ),
  );
}

/** `flotilla token revoke`: each by its id, or by the token itself. */
export async function revokeTokens(ids: readonly string[], options: ApiOptions): Promise<void> {
  const { citadel } = openMesh(options);
  for (const id of ids) {
    const { token } = await citadel.revokeToken({ id });
    printLine(`revoked ${token?.id ?? id}: certificates that go back to it are renewed no more`);
  }
}

function stateOf(token: Token): string {
  if (token.revokedAt !== undefined) return 'revoked';
  if (token.expiresAt !== undefined && timestampMs(token.expiresAt) <= Date.now()) return 'expired';
  return token.uses !== 0 && token.used >= token.uses ? 'used' : 'good';
}

function timeOf(at: Token['expiresAt']): string | null {
  return at === undefined ? null : new Date(timestampMs(at)).toISOString();
}

function plainToken(token: Token): object {
  const { id, spiffeId, workload, uses, used } = token;
  return {
    ...{ id, spiffeId, workload, uses, used, state: stateOf(token) },
    createdAt: timeOf(token.createdAt),
    expiresAt: timeOf(token.expiresAt),
    lastUsedAt: timeOf(token.lastUsedAt),
    revokedAt: timeOf(token.revokedAt),
  };
}
