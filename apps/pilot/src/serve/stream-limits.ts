import { limit } from '@flotilla/runtime';

const CUT =
  'the stream ends with RESOURCE_EXHAUSTED and the reason, and is counted; its identity may come back after 5 s';

/** What a proxy may hold of pilot, and pilot of it. A test may say otherwise; every field is a row of docs/limits.md. */
export interface StreamLimits {
  readonly streams: number;
  readonly identityStreams: number;
  readonly nodeStreams: number;
  readonly names: number;
  readonly nameBytes: number;
  readonly unknownNames: number;
  readonly identityUnknownNames: number;
  readonly allUnknownNames: number;
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  readonly firstRequestMs: number;
  readonly unsentBytes: number;
  readonly unsentMs: number;
}

export const STREAM_LIMITS: StreamLimits = {
  streams: limit({
    name: 'pilot.streams',
    what: 'xDS streams of all proxies at a time',
    default: 20_000,
    unit: 'count',
    past: 'a new stream ends with RESOURCE_EXHAUSTED; another pilot may have room',
  }),
  identityStreams: limit({
    name: 'pilot.identity-streams',
    what: 'xDS streams of one identity at a time (without TLS: of one address); its replicas share it',
    default: 1_000,
    unit: 'count',
    setting: '`--max-identity-streams`',
    past: 'a new stream ends with RESOURCE_EXHAUSTED',
  }),
  nodeStreams: limit({
    name: 'pilot.node-streams',
    what: 'xDS streams of one identity with the same node id at a time',
    default: 16,
    unit: 'count',
    past: 'a new stream ends with RESOURCE_EXHAUSTED',
  }),
  names: limit({
    name: 'pilot.stream-names',
    what: 'resources that one stream asks for by name, all types together',
    default: 100_000,
    unit: 'count',
    setting: '`--max-stream-names`',
    past: CUT,
  }),
  nameBytes: limit({
    name: 'pilot.name-bytes',
    what: 'name of a resource that a proxy asks for',
    default: 1024,
    unit: 'bytes',
    past: CUT,
  }),
  unknownNames: limit({
    name: 'pilot.stream-unknown-names',
    what: 'names that one stream asks for beyond the clusters and listeners that it was offered',
    default: 2_000,
    unit: 'count',
    past: CUT,
  }),
  identityUnknownNames: limit({
    name: 'pilot.identity-unknown-names',
    what: 'the same of all streams of one identity',
    default: 20_000,
    unit: 'count',
    past: CUT,
  }),
  allUnknownNames: limit({
    name: 'pilot.unknown-names',
    what: 'the same of all streams',
    default: 100_000,
    unit: 'count',
    past: 'the streams of the identity with the most end with RESOURCE_EXHAUSTED, and are counted',
  }),
  requestsPerSecond: limit({
    name: 'pilot.stream-requests',
    what: 'discovery requests of one stream, in the long run; a subscription counts for one more for each 500 names held',
    default: 100,
    unit: 'per second',
    past: CUT,
  }),
  requestBurst: limit({
    name: 'pilot.stream-burst',
    what: 'discovery requests of one stream that may come at once',
    default: 5_000,
    unit: 'count',
    past: CUT,
  }),
  firstRequestMs: limit({
    name: 'pilot.first-request',
    what: 'time from the start of a stream to its first request',
    default: 15_000,
    unit: 'ms',
    past: 'the stream ends with RESOURCE_EXHAUSTED',
  }),
  unsentBytes: limit({
    name: 'pilot.unsent-bytes',
    what: 'responses that a proxy has not read yet',
    default: 4 * 1024 * 1024,
    unit: 'bytes',
    past: 'the next response is made when it has read, of what is right then',
  }),
  unsentMs: limit({
    name: 'pilot.unsent',
    what: 'time in which a proxy with unread responses reads nothing',
    default: 60_000,
    unit: 'ms',
    past: 'the stream ends with RESOURCE_EXHAUSTED',
  }),
};

/** How long an identity that was cut may not open a stream. */
export const PENALTY_MS = 5_000;
