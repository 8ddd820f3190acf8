import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';

/**
 * Says `Unavailable` and names the server whenever the connection failed: could not be made, was refused in the
 * handshake, or was lost in the middle of a call. The transport itself reports those under several codes (`Internal`
 * for a certificate, `Aborted` for a reset, `Canceled` for a closed session), with only the system's text.
 */
export function nameConnectionFailures(origin: string): Interceptor {
  return (next) => async (request) => {
    const translate = (thrown: unknown): unknown => {
      if (request.signal.aborted || !isConnectionFailure(thrown)) return thrown;
      const why = thrown instanceof ConnectError ? thrown.rawMessage : thrown.message;
      const cause = thrown instanceof ConnectError ? (thrown.cause ?? thrown) : thrown;
      return new ConnectError(`cannot reach ${origin}: ${why}`, Code.Unavailable, undefined, undefined, cause);
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (thrown) {
      throw translate(thrown);
    }
  };
}

// Errors with a string code that are not about the connection: a write after the server has replied (which connect
// itself handles), our own cancelling, and decompression.
const OTHER_CODES = /^(?:ERR_STREAM_WRITE_AFTER_END|ABORT_ERR|ERR_BUFFER_|ERR_Z|Z_)/;

function isConnectionFailure(thrown: unknown): thrown is Error {
  if (!(thrown instanceof Error)) return false;
  // A session that ends under a call cancels its streams. Our own cancelling aborts the request's signal.
  if (thrown instanceof ConnectError && thrown.code === Code.Canceled) return true;
  for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') return !OTHER_CODES.test(error.code);
  }
  return false;
}

async function* translated<T>(messages: AsyncIterable<T>, translate: (thrown: unknown) => unknown): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (thrown) {
    throw translate(thrown);
  }
}
