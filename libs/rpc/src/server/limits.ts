import type { ServerOptions } from 'node:http2';
import { limit } from '@flotilla/runtime';

/** Default limit of one message, either way. */
export const DEFAULT_MAX_MESSAGE_BYTES = limit({
  name: 'rpc.message-bytes',
  what: 'one message of a call, either way',
  default: 16 * 1024 * 1024,
  unit: 'bytes',
  past: 'the call ends with resource_exhausted',
});
/** What is parsed before it is known whether anybody may ask: room for galley's documents of a stranger, in JSON too. */
export const STRANGERS_MAX_MESSAGE_BYTES = limit({
  name: 'rpc.strangers-message-bytes',
  what: 'one message of a caller without a client certificate and without the token of an administrator',
  default: 2 * 1024 * 1024,
  unit: 'bytes',
  past: 'the call ends with resource_exhausted, before the message is parsed',
});
export const DEFAULT_MAX_CONCURRENT_STREAMS = limit({
  name: 'rpc.streams',
  what: 'calls at a time on one connection',
  default: 1000,
  unit: 'count',
  past: 'the stream is refused (REFUSED_STREAM); the client sends it later',
});
export const MAX_HEADER_BYTES = limit({
  name: 'rpc.header-bytes',
  what: 'header fields of one call',
  default: 32 * 1024,
  unit: 'bytes',
  past: 'the stream is reset',
});

const MAX_SETTINGS = limit({
  name: 'rpc.settings',
  what: 'entries of one SETTINGS frame',
  default: 32,
  unit: 'count',
  past: 'the connection ends',
});

export function http2Options(maxConcurrentStreams: number): ServerOptions {
  return {
    maxSettings: MAX_SETTINGS,
    settings: { maxConcurrentStreams, maxHeaderListSize: MAX_HEADER_BYTES },
  };
}
