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
  maxHeadBytes: 60 * 1024,
  maxFields: 100,
  maxTargetBytes: 60 * 1024,
  maxChunkExtensionBytes: 16 * 1024,
  maxInformational: 32,
};
