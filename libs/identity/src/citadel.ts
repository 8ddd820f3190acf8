import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { FlotillaError, type Clock, type Random } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import {
  createRpcTransport,
  fromConnectError,
  type RpcTransport,
  type RpcTransportOptions,
} from '@flotilla/rpc/client';
import {
  createKeyAndCsr,
  formatSpiffeId,
  workloadCertificate,
  type IdentitySource,
  type KeyAndCsr,
  type SpiffeId,
  type WorkloadCertificate,
} from '@flotilla/spiffe';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { openRotatingIdentity } from './rotating.ts';
import { createStaticIdentity } from './static.ts';

export interface CitadelIdentityOptions {
  readonly ca: {
    /** `https://host:port` of citadel. */
    readonly url: string;
    /** The root that vouches for citadel, before there is a certificate to say so; default: the system's roots. */
    readonly rootPem?: string;
    /** Citadel's own identity. Default: `istiod` in `istio-system` of the same trust domain. */
    readonly serverSpiffeId?: string;
  };
  /** Bootstrap token; a function is asked each time one is needed, as files with tokens are renewed. */
  readonly token: string | (() => string | null);
  readonly id: SpiffeId;
  /** Wished lifetime; citadel may shorten it. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Gives up waiting for the first certificate. */
  readonly signal?: AbortSignal;
  /** The certificate has expired, and citadel refuses another one. It is tried again all the same. */
  readonly onLost?: (error: FlotillaError) => void;
  /** Default: `createRpcTransport`. */
  readonly createTransport?: (options: RpcTransportOptions) => RpcTransport;
}

const CALL_TIMEOUT_MS = 10_000;

/**
 * The identity of this process, from citadel. Resolves with the first certificate, and waits for citadel if it is
 * away; throws `unauthenticated` or `forbidden` when it refuses. Every renewal makes a new key, authenticates with the
 * old certificate, and falls back to the token when that has expired or is not accepted. A token is tried with one key
 * until it gave a certificate: citadel knows a try whose answer got lost by its key. Keys are never written anywhere.
 */
export function openCitadelIdentity(options: CitadelIdentityOptions): Promise<IdentitySource> {
  const { clock, random, logger, signal } = options;
  const subject = formatSpiffeId(options.id);
  let tried: { readonly token: string; readonly key: KeyAndCsr } | null = null;
  const byToken = async (
    token: string,
    roots: string | undefined,
    abort: AbortSignal,
  ): Promise<WorkloadCertificate> => {
    if (tried?.token !== token) tried = { token, key: await createKeyAndCsr(options.id) };
    const certificate = await requestCertificate(options, { token, roots }, tried.key, abort);
    tried = null;
    return certificate;
  };
  const obtain = async (current: WorkloadCertificate | null, abort: AbortSignal): Promise<WorkloadCertificate> => {
    try {
      if (current !== null && current.notAfterMs > clock.now()) {
        try {
          return await requestCertificate(options, { certificate: current }, await createKeyAndCsr(options.id), abort);
        } catch (thrown) {
          const token = tokenOf(options);
          if (fromConnectError(thrown).code !== 'unauthenticated' || token === null) throw thrown;
          return await byToken(token, current.rootsPem, abort);
        }
      }
      const token = tokenOf(options);
      if (token === null) throw new FlotillaError('unauthenticated', 'there is no bootstrap token');
      return await byToken(token, current?.rootsPem ?? options.ca.rootPem, abort);
    } catch (thrown) {
      throw fromConnectError(thrown).within(`no certificate for ${subject}`);
    }
  };
  const { onLost } = options;
  return openRotatingIdentity({ obtain, clock, random, logger, ...(onLost === undefined ? {} : { onLost }) }, signal);
}

type Proof =
  { readonly certificate: WorkloadCertificate } | { readonly token: string; readonly roots: string | undefined };

async function requestCertificate(
  options: CitadelIdentityOptions,
  proof: Proof,
  { privateKeyPem, csrPem }: KeyAndCsr,
  signal: AbortSignal,
): Promise<WorkloadCertificate> {
  const { ca, id } = options;
  const serverSpiffeId =
    ca.serverSpiffeId ?? formatSpiffeId({ ...id, namespace: 'istio-system', serviceAccount: 'istiod' });
  // A connection for each certificate: the next one authenticates with another certificate.
  const transport = (options.createTransport ?? createRpcTransport)(
    'token' in proof
      ? {
          url: ca.url,
          token: proof.token,
          tls: { serverSpiffeId, ...(proof.roots === undefined ? {} : { rootsPem: proof.roots }) },
        }
      : { url: ca.url, tls: { serverSpiffeId, identity: createStaticIdentity(proof.certificate) } },
  );
  try {
    const client = createClient(CitadelService, transport);
    const request = { csrPem, ttl: durationFromMs(options.ttlMs) };
    const reply = await client.issueCertificate(request, { signal, timeoutMs: CALL_TIMEOUT_MS });
    const issued = workloadCertificate({
      chainPem: reply.chainPem.join(''),
      privateKeyPem,
      rootsPem: reply.rootPem.join(''),
    });
    if (formatSpiffeId(issued.spiffeId) !== formatSpiffeId(id)) {
      throw new FlotillaError('internal', `citadel issued a certificate for ${formatSpiffeId(issued.spiffeId)}`);
    }
    if (issued.notAfterMs <= options.clock.now()) {
      throw new FlotillaError('invalid', 'the new certificate has expired by the clock of this machine', {
        hint: 'Compare the clocks of this machine and of citadel.',
      });
    }
    return issued;
  } finally {
    transport.close();
  }
}

function tokenOf({ token }: CitadelIdentityOptions): string | null {
  return typeof token === 'function' ? token() : token;
}
