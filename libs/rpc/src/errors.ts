import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { FlotillaError, type ErrorCode } from '@flotilla/runtime';
import { ErrorInfoSchema } from '@flotilla/wire/google/rpc/error_details_pb.js';

/** `domain` of the ErrorInfo detail that carries a FlotillaError's own code and hint. */
const DOMAIN = 'flotilla';

const CODE_OF: Readonly<Record<ErrorCode, Code>> = {
  invalid: Code.InvalidArgument,
  usage: Code.InvalidArgument,
  'not-found': Code.NotFound,
  conflict: Code.Aborted,
  unauthenticated: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  unavailable: Code.Unavailable,
  exhausted: Code.ResourceExhausted,
  system: Code.Internal,
  internal: Code.Internal,
};

const ERROR_CODE_OF: Readonly<Record<Code, ErrorCode>> = {
  [Code.Canceled]: 'unavailable',
  [Code.Unknown]: 'internal',
  [Code.InvalidArgument]: 'invalid',
  [Code.DeadlineExceeded]: 'unavailable',
  [Code.NotFound]: 'not-found',
  [Code.AlreadyExists]: 'conflict',
  [Code.PermissionDenied]: 'forbidden',
  [Code.ResourceExhausted]: 'exhausted',
  [Code.FailedPrecondition]: 'invalid',
  [Code.Aborted]: 'conflict',
  [Code.OutOfRange]: 'invalid',
  [Code.Unimplemented]: 'internal',
  [Code.Internal]: 'internal',
  [Code.Unavailable]: 'unavailable',
  [Code.DataLoss]: 'internal',
  [Code.Unauthenticated]: 'unauthenticated',
};

/**
 * The RPC form of anything a handler throws. A `FlotillaError` keeps its message, and its code and hint travel as a
 * google.rpc.ErrorInfo. A `ConnectError` is returned as it is. Anything else becomes `Internal` with no text of its
 * own: what a bug says is for the log, not for the peer.
 */
export function toConnectError(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (!(thrown instanceof FlotillaError)) {
    return new ConnectError('internal error', Code.Internal, undefined, undefined, thrown);
  }
  const info = create(ErrorInfoSchema, {
    reason: thrown.code,
    domain: DOMAIN,
    metadata: thrown.hint === undefined ? {} : { hint: thrown.hint },
  });
  const details = [{ desc: ErrorInfoSchema, value: info }];
  return new ConnectError(thrown.message, CODE_OF[thrown.code], undefined, details, thrown);
}

/** The inverse, for callers: the peer's own code and hint where it sent them, else the nearest code. */
export function fromConnectError(thrown: unknown): FlotillaError {
  if (thrown instanceof FlotillaError) return thrown;
  if (!(thrown instanceof ConnectError)) return FlotillaError.from(thrown);
  const info = thrown.findDetails(ErrorInfoSchema).find((detail) => detail.domain === DOMAIN);
  const code = isErrorCode(info?.reason) ? info.reason : ERROR_CODE_OF[thrown.code];
  const hint = info?.metadata['hint'];
  return new FlotillaError(code, thrown.rawMessage, { cause: thrown, ...(hint === undefined ? {} : { hint }) });
}

function isErrorCode(text: string | undefined): text is ErrorCode {
  return text !== undefined && Object.hasOwn(CODE_OF, text);
}
