import { limit } from '@flotilla/runtime';

/** Bounds of the connections of every HTTP port of ours. */
export const HTTP_PORT_LIMITS = {
  headerBytes: limit({
    name: 'http-port.header-bytes',
    what: 'head of one HTTP/1.1 request to a port of ours',
    default: 32 * 1024,
    unit: 'bytes',
    past: '431, and the connection is closed',
  }),
  headersMs: limit({
    name: 'http-port.headers',
    what: 'time from the first moment of a connection, or of its next request, to the end of the head',
    default: 10_000,
    unit: 'ms',
    past: '408, and the connection is closed',
  }),
  requestMs: limit({
    name: 'http-port.request',
    what: 'time for a whole HTTP/1.1 request to arrive; not for its answer',
    default: 30_000,
    unit: 'ms',
    past: '408, and the connection is closed',
  }),
  keepAliveMs: limit({
    name: 'http-port.keep-alive',
    what: 'time between two requests of an HTTP/1.1 connection',
    default: 60_000,
    unit: 'ms',
    past: 'the connection is closed',
  }),
  idleMs: limit({
    name: 'http-port.idle',
    what: 'time without a byte either way: on administration and status ports always, on others with no call open',
    default: 120_000,
    unit: 'ms',
    past: 'the connection is closed',
  }),
  connections: limit({
    name: 'http-port.connections',
    what: 'connections of one port of ours at a time',
    default: 4096,
    unit: 'count',
    past: 'a new connection is closed at once',
  }),
} as const;
