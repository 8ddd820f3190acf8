/** Why a message was refused. Stable: tests, statistics and access logs name these. */
export type ParseErrorCode =
  | 'bad-request-line'
  | 'bad-method'
  | 'bad-target'
  | 'target-too-long'
  | 'bad-version'
  /** HTTP/2.x and up, or a 1.x that is not 1.0 or 1.1. */
  | 'version-not-supported'
  /** HTTP/1.0, when the parser was told not to take it. */
  | 'http10-refused'
  | 'bad-status-line'
  | 'head-too-large'
  | 'too-many-fields'
  | 'bare-cr'
  | 'bare-lf'
  /** A control character (NUL, DEL, …) anywhere in a head or in trailers. */
  | 'control-character'
  | 'obsolete-folding'
  | 'space-before-colon'
  | 'missing-colon'
  | 'bad-field-name'
  | 'repeated-host'
  | 'bad-content-length'
  | 'repeated-content-length'
  | 'content-length-with-transfer-encoding'
  /** A coding other than exactly `chunked`. */
  | 'bad-transfer-encoding'
  | 'transfer-encoding-in-http10'
  /** `Connection` nominates a field that must not be removed, or too many fields. */
  | 'bad-connection'
  | 'bad-chunk-size'
  | 'bad-chunk-extension'
  | 'chunk-extensions-too-large'
  | 'bad-chunk-end'
  | 'too-many-informational'
  /** A 204 response with a body (RFC 9110, section 8.6). */
  | 'no-content-with-body'
  /** The peer closed inside a message. */
  | 'unexpected-end';

/** A refused message. Carries no bytes of it: they are not fit for a log. */
export class ParseError extends Error {
  readonly code: ParseErrorCode;

  constructor(code: ParseErrorCode) {
    super(`HTTP/1 ${code}`);
    this.name = 'ParseError';
    this.code = code;
  }
}
