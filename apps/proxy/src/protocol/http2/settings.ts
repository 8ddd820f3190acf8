import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Settings } from 'node:http2';
import type { Http2ProtocolOptions } from '@flotilla/wire/envoy/config/core/v3/protocol_pb.js';
import { limit } from '@flotilla/runtime';
import type { FloodLimits } from './frame-guard.ts';
import { refuse } from '@flotilla/envoy';

/** How HTTP/2 is spoken on a connection; for both ends of it. */
export interface Http2Settings {
  /** Sent to the peer when the connection begins. */
  readonly settings: Settings;
  /** Octets that the peer may send on a connection before they are read. */
  readonly connectionWindowBytes: number;
  /** Streams at a time. For the server the same as in `settings`, for the client its own limit. */
  readonly maxConcurrentStreams: number;
  /** What a peer may do before its connection is cut. */
  readonly floods: FloodLimits;
  /** Null: no PING asks whether the peer is still there. */
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number } | null;
}

/**
 * Envoy's default is 16 MiB, which a thousand clients that do not read would turn into 16 GiB: without an order of the
 * configuration a stream holds at most this much.
 */
const DEFAULT_STREAM_WINDOW_BYTES = limit({
  name: 'proxy.h2-stream-window',
  what: 'body of one HTTP/2 stream that is not read yet',
  default: 256 * 1024,
  unit: 'bytes',
  setting: '`initial_stream_window_size`',
  past: 'the peer has to wait (flow control)',
});
const DEFAULT_CONNECTION_WINDOW_BYTES = limit({
  name: 'proxy.h2-connection-window',
  what: 'bodies of one HTTP/2 connection that are not read yet',
  default: 1024 * 1024,
  unit: 'bytes',
  setting: '`initial_connection_window_size`',
  past: 'the peer has to wait (flow control)',
});
/** Envoy's default since 1.36. */
const DEFAULT_MAX_CONCURRENT_STREAMS = limit({
  name: 'proxy.h2-streams',
  what: 'requests at a time on one HTTP/2 connection (as Envoy)',
  default: 1024,
  unit: 'count',
  setting: '`max_concurrent_streams`',
  past: 'the stream is refused (REFUSED_STREAM)',
});
const DEFAULT_HEADER_TABLE_BYTES = limit({
  name: 'proxy.h2-header-table',
  what: 'HPACK table of one HTTP/2 connection',
  default: 4096,
  unit: 'bytes',
  setting: '`hpack_table_size`',
  past: 'entries are evicted',
});

/**
 * Compiles `Http2ProtocolOptions`. Throws `invalid`, naming the field, for numbers that the protocol does not allow.
 */
export function compileHttp2Settings(proto: Http2ProtocolOptions | undefined, path: string): Http2Settings {
  const window = windowOf(proto?.initialStreamWindowSize, `${path}.initial_stream_window_size`);
  const connection = windowOf(proto?.initialConnectionWindowSize, `${path}.initial_connection_window_size`);
  const maxConcurrentStreams = proto?.maxConcurrentStreams ?? DEFAULT_MAX_CONCURRENT_STREAMS;
  if (maxConcurrentStreams === 0 || maxConcurrentStreams > 0x7fff_ffff) {
    refuse(`${path}.max_concurrent_streams`, 'is not in 1 to 2147483647');
  }
  return {
    settings: {
      headerTableSize: proto?.hpackTableSize ?? DEFAULT_HEADER_TABLE_BYTES,
      initialWindowSize: window ?? DEFAULT_STREAM_WINDOW_BYTES,
      maxConcurrentStreams,
      enableConnectProtocol: proto?.allowConnect === true,
      ...customSettings(proto, path),
    },
    connectionWindowBytes: connection ?? Math.max(DEFAULT_CONNECTION_WINDOW_BYTES, window ?? 0),
    maxConcurrentStreams,
    floods: compileFloods(proto, path),
    keepAlive: compileKeepAlive(proto, `${path}.connection_keepalive`),
  };
}

/** Envoy's defaults. */
function compileFloods(proto: Http2ProtocolOptions | undefined, path: string): FloodLimits {
  const windowUpdates = proto?.maxInboundWindowUpdateFramesPerDataFrameSent ?? 10;
  if (windowUpdates === 0) refuse(`${path}.max_inbound_window_update_frames_per_data_frame_sent`, 'is not 1 or more');
  return {
    maxConsecutiveInboundFramesWithEmptyPayload: proto?.maxConsecutiveInboundFramesWithEmptyPayload ?? 1,
    maxInboundPriorityFramesPerStream: proto?.maxInboundPriorityFramesPerStream ?? 100,
    maxInboundWindowUpdateFramesPerDataFrameSent: windowUpdates,
  };
}

/** Null when it is not set. RFC 9113, section 6.9.1; Envoy takes no window below the protocol's own default. */
function windowOf(bytes: number | undefined, path: string): number | null {
  if (bytes === undefined) return null;
  if (bytes < 65_535 || bytes > 0x7fff_ffff) refuse(path, `${bytes} is not in 65535 to 2147483647`);
  return bytes;
}

function customSettings(proto: Http2ProtocolOptions | undefined, path: string): Pick<Settings, 'customSettings'> {
  const parameters = proto?.customSettingsParameters ?? [];
  if (parameters.length === 0) return {};
  const customs: Record<number, number> = {};
  parameters.forEach(({ identifier, value }, index) => {
    const field = `${path}.custom_settings_parameters[${index}]`;
    if (identifier === undefined || value === undefined) return refuse(field, 'must have identifier and value');
    // 1 to 6 and 8 are the protocol's own (RFC 9113, section 6.5.2; RFC 8441).
    if (identifier <= 8) refuse(field, `setting ${identifier} has a field of its own`);
    customs[identifier] = value;
  });
  return { customSettings: customs };
}

function compileKeepAlive(proto: Http2ProtocolOptions | undefined, path: string): Http2Settings['keepAlive'] {
  const keepAlive = proto?.connectionKeepalive;
  if (keepAlive === undefined) return null;
  if (keepAlive.timeout === undefined) return refuse(`${path}.timeout`, 'is missing');
  if (keepAlive.interval === undefined) return refuse(`${path}.interval`, 'is missing');
  return { intervalMs: durationMs(keepAlive.interval), timeoutMs: durationMs(keepAlive.timeout) };
}
