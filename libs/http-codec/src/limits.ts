import { limit } from '@flotilla/runtime';

/** Bounds on what a peer may send. Every one has a default that fits Envoy's. */
export interface ParserLimits {
  /** Start line and header fields of one head, or all trailers of one message, in bytes. */
  readonly maxHeadBytes: number;
  /** Fields in a head, and fields in trailers. */
  readonly maxFields: number;
  /** Request target, in bytes. */
  readonly maxTargetBytes: number;
  /** Chunk extensions of one message, in bytes. They are checked and dropped. */
  readonly maxChunkExtensionBytes: number;
  /** Interim (1xx) responses before one final response. */
  readonly maxInformational: number;
}

export const defaultLimits: ParserLimits = {
  maxHeadBytes: limit({
    name: 'http.head-bytes',
    what: 'start line and header fields of one message; all trailers of one',
    default: 60 * 1024,
    unit: 'bytes',
    setting: '`max_request_headers_kb`',
    past: '431 for a request, 502 for a response',
  }),
  maxFields: limit({
    name: 'http.fields',
    what: 'header fields of one message; trailers of one',
    default: 100,
    unit: 'count',
    setting: '`max_headers_count`',
    past: '431 for a request, 502 for a response',
  }),
  maxTargetBytes: limit({
    name: 'http.target-bytes',
    what: 'request target',
    default: 60 * 1024,
    unit: 'bytes',
    past: '414, and the connection is closed',
  }),
  maxChunkExtensionBytes: limit({
    name: 'http.chunk-extension-bytes',
    what: 'chunk extensions of one message, which are dropped',
    default: 16 * 1024,
    unit: 'bytes',
    past: '400, and the connection is closed',
  }),
  maxInformational: limit({
    name: 'http.informational',
    what: 'interim (1xx) responses before a final one',
    default: 32,
    unit: 'count',
    past: '502, and the connection is closed',
  }),
};
