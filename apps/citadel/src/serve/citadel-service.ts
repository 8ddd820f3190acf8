import { timestampFromMs, durationMs, type Duration } from '@bufbuild/protobuf/wkt';
import type { ConnectRouter } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import { callerOf, type Caller } from '@flotilla/rpc/server';
import { formatSpiffeId, type SpiffeId, type TrustBundle } from '@flotilla/spiffe';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import type { BootstrapTokens } from '../authenticate/bootstrap-token.ts';
import { issueCertificate, type Issuing } from '../issue.ts';

export interface CitadelServiceParts {
  readonly issuing: Issuing;
  readonly tokens: BootstrapTokens;
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
    async createToken({ namespace, serviceAccount, ttl }, context) {
      await parts.authoriseAdmin(callerOf(context));
      const id: SpiffeId = { trustDomain: parts.bundle().trustDomain, namespace, serviceAccount };
      const { token, expiresAtMs } = parts.tokens.create(id, milliseconds(ttl) ?? DEFAULT_TOKEN_TTL_MS);
      return { token, expiresAt: timestampFromMs(expiresAtMs) };
    },
    getTrustBundle() {
      const { trustDomain, roots } = parts.bundle();
      return { trustDomain, rootPem: [...roots] };
    },
  });
}

function milliseconds(duration: Duration | undefined): number | null {
  if (duration === undefined) return null;
  const ms = durationMs(duration);
  if (!Number.isFinite(ms) || ms < 0) throw new FlotillaError('invalid', 'ttl must not be negative');
  return ms;
}
