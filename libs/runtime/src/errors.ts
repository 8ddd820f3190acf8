/**
 * Every code that Flotilla's own errors carry. A closed list: an operator can search for each, and a
 * test can assert one. `exitCode` in the CLI and status codes in `libs/rpc` are derived from it.
 */
export type ErrorCode =
  /** Input that cannot be used as it is: syntax, schema, semantics, settings. */
  | 'invalid'
  /** The thing named does not exist. */
  | 'not-found'
  /** The thing exists already, or was changed by somebody else since it was read. */
  | 'conflict'
  /** The caller did not prove who it is. */
  | 'unauthenticated'
  /** The caller is known, and may not do this. */
  | 'forbidden'
  /** A peer could not be reached, or did not answer in time. */
  | 'unavailable'
  /** A limit on something a peer controls was exceeded. */
  | 'exhausted'
  /** The operating system refused: a port in use, a directory that cannot be written, a missing program. */
  | 'system'
  /** Wrong use of the command line. */
  | 'usage'
  /** A fault in Flotilla itself. */
  | 'internal';

export interface ErrorOptionsWithHint {
  readonly cause?: unknown;
  /** What the operator should do or look at next, as an imperative sentence. */
  readonly hint?: string;
}

/**
 * The one error class. `message` says what failed and why in one sentence without a trailing period;
 * `hint` says what to do. Layers add their own subject with `within`, keeping code and hint.
 */
export class FlotillaError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithHint = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FlotillaError';
    this.code = code;
    this.hint = options.hint;
  }

  /** Wraps anything thrown. A `FlotillaError` is returned as it is; system errors keep their errno text. */
  static from(thrown: unknown, fallback: ErrorCode = 'internal'): FlotillaError {
    if (thrown instanceof FlotillaError) return thrown;
    if (thrown instanceof Error) {
      const code = isSystemError(thrown) ? systemCode(thrown) : fallback;
      return new FlotillaError(code, thrown.message, { cause: thrown });
    }
    return new FlotillaError(fallback, String(thrown));
  }

  /** The same error with the subject of an outer layer before the message: `"<subject>: <message>"`. */
  within(subject: string): FlotillaError {
    return new FlotillaError(this.code, `${subject}: ${this.message}`, {
      cause: this.cause ?? this,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    });
  }

  /** Message and hint as one text for a terminal. */
  describe(): string {
    return this.hint === undefined ? this.message : `${this.message}\n  ${this.hint}`;
  }
}

function isSystemError(error: Error): error is NodeJS.ErrnoException {
  return typeof (error as NodeJS.ErrnoException).code === 'string';
}

function systemCode(error: NodeJS.ErrnoException): ErrorCode {
  switch (error.code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'ETIMEDOUT':
    case 'EPIPE':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOTFOUND':
      return 'unavailable';
    default:
      return 'system';
  }
}
