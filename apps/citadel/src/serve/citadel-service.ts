import { timestampFromMs, durationMs, type Duration } from '@bufbuild/protobuf/wkt';
import type { ConnectRouter } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import { callerOf, type Caller } from '@flotilla/rpc/server';
import { formatSpiffeId, type TrustBundle } from '@flotilla/spiffe';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { issueCertificate, type Issuing } from '../issue.ts';
import { tokenIdOf } from '../tokens/bootstrap-token.ts';
import type { MintToken } from '../tokens/mint.ts';
import type { TokenRecord } from '../tokens/token-record.ts';

export interface CitadelServiceParts {
  readonly issuing: Issuing;
  readonly mint: MintToken;
  readonly bundle: () => TrustBundle;
  /** Throws `unauthenticated` or `forbidden`. */
  readonly authoriseAdmin: (caller: Caller) => void | Promise<void>;
}

const DEFAULT_TOKEN_TTL_MS = 3_600_000;

/** Our own API. */
export function routeCitadelService(router: ConnectRouter, parts: CitadelServiceParts): void {
  router.service(CitadelService, {
    async issueCertificate({ csrPem, ttl }, context) {
      const issued = await issueCertificate(parts.issuing, callerOf(context), csrPem, milliseconds(ttl) ?? 0);
      return {
        chainPem: [issued.pem],
        rootPem: [...parts.bundle().roots],
        spiffeId: formatSpiffeId(issued.spiffeId),
        notBefore: timestampFromMs(issued.notBeforeMs),
        notAfter: timestampFromMs(issued.notAfterMs),
      };
    },
    async createToken({ namespace, serviceAccount, workload, uses, reusable, ttl }, context) {
      await parts.authoriseAdmin(callerOf(context));
      const { token, id, expiresAtMs } = await parts.mint({
        namespace,
        serviceAccount,
        workload,
        uses: reusable ? 0 : uses || 1,
        ttlMs: milliseconds(ttl) ?? DEFAULT_TOKEN_TTL_MS,
      });
      return { token, id, expiresAt: timestampFromMs(expiresAtMs) };
    },
    async listTokens(_, context) {
      await parts.authoriseAdmin(callerOf(context));
      return { tokens: (await parts.issuing.ledger.list()).map(tokenToWire) };
    },
    async revokeToken({ id }, context) {
      await parts.authoriseAdmin(callerOf(context));
      const named = tokenIdOf(id) ?? id;
      if (!TOKEN_ID.test(named))
        throw new FlotillaError('invalid', `"${named.slice(0, 100)}" is not the id of a token`);
      return { token: tokenToWire(await parts.issuing.ledger.revoke(named)) };
    },
    getTrustBundle() {
      const { trustDomain, roots } = parts.bundle();
      return { trustDomain, rootPem: [...roots] };
    },
  });
}

/** As `randomUUID` makes them. */
const TOKEN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function tokenToWire(record: TokenRecord) {
  const { id, spiffeId, workload, uses, used, createdAtMs, expiresAtMs, lastUsedAtMs, revokedAtMs } = record;
  return {
    ...{ id, spiffeId, workload, uses, used },
    createdAt: timestampFromMs(createdAtMs),
    ...(expiresAtMs === 0 ? {} : { expiresAt: timestampFromMs(expiresAtMs) }),
    ...(lastUsedAtMs === null ? {} : { lastUsedAt: timestampFromMs(lastUsedAtMs) }),
    ...(revokedAtMs === null ? {} : { revokedAt: timestampFromMs(revokedAtMs) }),
  };
}

function milliseconds(duration: Duration | undefined): number | null {
  if (duration === undefined) return null;
  const ms = durationMs(duration);
  if (!Number.isFinite(ms) || ms < 0) throw new FlotillaError('invalid', 'ttl must not be negative');
  return ms;
}
