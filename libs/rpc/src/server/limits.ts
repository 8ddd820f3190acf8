import type { ServerOptions } from 'node:http2';

/** Default limit of one message, either way. */
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
export const DEFAULT_MAX_CONCURRENT_STREAMS = 1000;
export const MAX_HEADER_BYTES = 32 * 1024;

export function http2Options(maxConcurrentStreams: number): ServerOptions {
  return {
    maxSettings: 32,
    settings: { maxConcurrentStreams, maxHeaderListSize: MAX_HEADER_BYTES },
  };
}
