import { type CallOptions, Code, ConnectError } from '@connectrpc/connect';
import { mayStand } from '@flotilla/client';
import { FlotillaError, limit } from '@flotilla/runtime';

// More than galley gives to checking documents.
const WRITE_TIMEOUT_MS = limit({
  name: 'cli.write-time',
  what: 'time for galley to answer a change',
  default: 120_000,
  unit: 'ms',
  past: 'the command gives up, and says that the change may have been committed',
});

/**
 * The answer to a call that changes something, in time. What it fails with says what is known: a refusal, and a
 * galley that was never reached, changed nothing; when no answer came, or galley does not know, the change may stand.
 */
export async function written<T>(call: (options: CallOptions) => Promise<T>, timeoutMs = WRITE_TIMEOUT_MS): Promise<T> {
  try {
    return await call({ timeoutMs });
  } catch (thrown) {
    const error = FlotillaError.from(thrown);
    if (!mayStand(error)) throw error;
    const isLate = error.cause instanceof ConnectError && error.cause.code === Code.DeadlineExceeded;
    const why = isLate ? `galley did not answer in ${timeoutMs / 1000} s` : error.message;
    throw new FlotillaError(error.code, `${why}; the change may have been committed, all of it, or nothing`, {
      cause: error,
      hint: 'See with "flotilla get" what there is, or run the command again: what is there already stays as it is.',
    });
  }
}
