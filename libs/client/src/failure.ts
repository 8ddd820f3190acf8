import { Code, ConnectError } from '@connectrpc/connect';
import { fromConnectError } from '@flotilla/rpc/client';
import { FlotillaError } from '@flotilla/runtime';
import { type Finding, ValidationReportSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { formatReport } from './findings.ts';
import type { Server } from './servers.ts';

/** A change that galley refused, with everything that it found; the message has the first of it. Nothing was changed. */
export class RefusedChangeError extends FlotillaError {
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[], cause: unknown) {
    super('invalid', `refused, and nothing was changed:\n${formatReport({ findings, ignored: [] }).join('\n')}`, {
      cause,
    });
    this.findings = findings;
  }
}

/** Why a call to this server failed: what happened, in its words, and what to do about it. */
export function explainFailure(thrown: unknown, server: Server): FlotillaError {
  if (!(thrown instanceof ConnectError)) return FlotillaError.from(thrown);
  const findings = thrown.findDetails(ValidationReportSchema).flatMap((report) => report.findings);
  if (findings.length > 0) return new RefusedChangeError(findings, thrown);
  if (thrown.code === Code.Unimplemented) return explainMissing(thrown, server);
  const error = fromConnectError(thrown);
  // Without a cause the words are the server's own.
  return error.code === 'unavailable' && thrown.cause instanceof Error ? explainUnreachable(thrown, server) : error;
}

/** Everything that is expected at one URL is there, unless the URL is of one separate service only. */
function explainMissing(thrown: ConnectError, { url, services }: Server): FlotillaError {
  return new FlotillaError('unavailable', `${url} does not serve this call: ${thrown.rawMessage}`, {
    cause: thrown,
    hint:
      services.length > 1
        ? 'In a mesh of separate services pilots and citadel have URLs of their own: --pilot and --citadel.'
        : `Is that the address of ${services.join()}?`,
  });
}

interface Explanation {
  readonly codes: RegExp;
  /** null: what the error says itself. */
  readonly message: string | null;
  readonly hint: string;
}

// By the `code` of the error that ended the connection, Node's own and OpenSSL's.
const EXPLANATIONS: readonly Explanation[] = [
  {
    codes: /^(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_SIGNATURE_FAILURE)$/,
    message: 'its certificate is not from the given root',
    hint: 'Is that the root certificate of this mesh? --ca-roots (rootsPem) names it.',
  },
  {
    codes: /^(?:CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    message: 'its certificate is not valid at this time',
    hint: 'Compare the clocks of both machines.',
  },
  {
    codes: /^unauthenticated$/,
    message: null,
    hint: 'Do the address and --trust-domain (trustDomain) belong to this mesh?',
  },
  {
    codes: /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/,
    message: 'the port does not speak TLS',
    hint: 'Write http:// for a plaintext API, such as that of "flotilla up".',
  },
  {
    codes: /^ERR_SSL_\w*CERTIFICATE_REQUIRED$/,
    message: 'it takes only clients with a certificate of the mesh',
    hint: 'Use the port for tools, or a certificate of the mesh (identity).',
  },
  { codes: /^ERR_HTTP2_ERROR$/, message: 'the port does not speak gRPC', hint: 'Is that the address of the API?' },
];

function explainUnreachable(thrown: ConnectError, { url }: Server): FlotillaError {
  const codes = codesOf(thrown);
  const known = EXPLANATIONS.find((one) => codes.some((code) => one.codes.test(code)));
  if (known !== undefined) {
    const message = known.message === null ? thrown.rawMessage : `cannot reach ${url}: ${known.message}`;
    return new FlotillaError('unavailable', message, { cause: thrown, hint: known.hint });
  }
  // A TLS port hangs up on plaintext without a word.
  if (thrown.cause instanceof ConnectError && thrown.cause.code === Code.Canceled && url.startsWith('http:')) {
    return new FlotillaError('unavailable', `cannot reach ${url}: the connection was closed without an answer`, {
      cause: thrown,
      hint: 'If that port speaks TLS, write https:// and give the root certificate with --ca-roots (rootsPem).',
    });
  }
  return new FlotillaError('unavailable', thrown.rawMessage, {
    cause: thrown,
    hint: 'Is the mesh running? "flotilla up" starts one; --api names another.',
  });
}

/** The texts of `code` along the causes; ConnectError's own are numbers. */
function codesOf(thrown: Error): string[] {
  const codes: string[] = [];
  for (let error: unknown = thrown.cause; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') codes.push(error.code);
  }
  return codes;
}

// By the `code` of the error because of which there was no connection to send anything over.
const NEVER_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|unauthenticated|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/;

/**
 * Of a write that failed with this: whether it may have been committed all the same. That is so when the answer was lost,
 * late, or "I do not know".
 */
export function mayStand(error: FlotillaError): boolean {
  // Every other code is galley's refusal, before the commit.
  if (!['unavailable', 'system', 'internal'].includes(error.code)) return false;
  if (error.message.includes('nothing was changed')) return false;
  return !codesOf(error).some((code) => NEVER_SENT.test(code));
}
