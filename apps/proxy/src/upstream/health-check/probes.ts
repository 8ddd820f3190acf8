import type { Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { requestHttp } from '@flotilla/sockets/http';
import { type ClientSession, connectHttp2, openHttp2Stream } from '@flotilla/sockets/http2';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Serving,
  HealthCheckResponseSchema,
} from '@flotilla/wire/grpc/health/v1/health_pb.js';
import { limit } from '@flotilla/runtime';
import { FrameReader, frameOf } from '../../protocol/grpc/frames.ts';
import type { GrpcProbeSettings, HttpProbeSettings, ProbeSettings, TcpProbeSettings } from './settings.ts';

/** `retriable`: failed, and the threshold counts; `failed`: unhealthy at once; `network`: no answer came. */
export type ProbeResult = 'passed' | 'failed' | 'retriable' | 'network';

const USER_AGENT = 'Envoy/HC';

/** Asks over a connection that is ready; `done` is called once, and the connection may be destroyed at any time. */
export function probe(
  socket: Socket,
  settings: ProbeSettings,
  /** The host's own name for checks, or the cluster's. */
  names: { readonly host: string; readonly cluster: string },
  timeoutMs: number,
  done: (result: ProbeResult) => void,
): void {
  switch (settings.kind) {
    case 'tcp':
      return probeTcp(socket, settings, done);
    case 'grpc':
      return probeGrpc(socket, settings, names.host || settings.authority || names.cluster, timeoutMs, done);
    case 'http': {
      const authority = names.host || settings.host || names.cluster;
      return settings.isHttp2
        ? probeHttp2(socket, settings, authority, done)
        : probeHttp1(socket, settings, authority, timeoutMs, done);
    }
  }
}

function probeTcp(socket: Socket, { send, receive }: TcpProbeSettings, done: (result: ProbeResult) => void): void {
  if (send !== null) socket.write(send);
  if (receive.length === 0) return done('passed');
  let seen = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    if (holds(seen, receive)) done('passed');
    else if (seen.length > MAX_RECEIVED_BYTES) done('network');
  });
  socket.on('close', () => done('network'));
  socket.resume();
}

const MAX_RECEIVED_BYTES = limit({
  name: 'proxy.health-check-bytes',
  what: 'what a TCP health check reads while it waits for the expected bytes',
  default: 64 * 1024,
  unit: 'bytes',
  past: 'the check counts as failed',
});

/** Header fields of a check, in Envoy's order. */
function fieldsOf(settings: HttpProbeSettings): [string, string][] {
  const fields: [string, string][] = [['user-agent', USER_AGENT]];
  for (const [name, value] of settings.headers) fields.push([name, value]);
  if (settings.body !== null) fields.push(['content-length', String(settings.body.length)]);
  return fields.filter(([name]) => !settings.removed.has(name));
}

function probeHttp1(
  socket: Socket,
  settings: HttpProbeSettings,
  authority: string,
  timeoutMs: number,
  done: (result: ProbeResult) => void,
): void {
  const { method, path } = settings;
  const headers = Object.fromEntries([['host', authority], ...fieldsOf(settings)]);
  const outgoing = requestHttp(
    { createConnection: () => socket, setHost: false, method, path, headers, timeoutMs },
    () => done('network'),
    (response) => {
      const body = new BodyStart(settings.maxBodyBytes);
      response.on('data', (chunk: Buffer) => body.push(chunk));
      response.on('end', () => done(judge(response.statusCode ?? 0, body.bytes, settings)));
    },
  );
  // Envoy says nothing of what becomes of the connection.
  outgoing.removeHeader('connection');
  outgoing.end(settings.body ?? undefined);
  // It comes paused.
  socket.resume();
}

function probeHttp2(
  socket: Socket,
  settings: HttpProbeSettings,
  authority: string,
  done: (result: ProbeResult) => void,
): void {
  const session = openSession(socket, done);
  const fields = {
    ':method': settings.method,
    ':authority': authority,
    ':path': settings.path,
    ':scheme': 'http',
    ...Object.fromEntries(fieldsOf(settings)),
  };
  const stream = openHttp2Stream(session, fields, {}, () => done('network'));
  let status = 0;
  const body = new BodyStart(settings.maxBodyBytes);
  stream.on('response', (headers) => (status = headers[':status'] ?? 0));
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  stream.on('end', () => done(judge(status, body.bytes, settings)));
  stream.end(settings.body ?? undefined);
}

function openSession(socket: Socket, done: (result: ProbeResult) => void): ClientSession {
  const session = connectHttp2('http://check', { createConnection: () => socket }, () => done('network'));
  // The session takes the socket's bytes below the stream; a paused socket has to be woken for it.
  socket.read(0);
  return session;
}

function probeGrpc(
  socket: Socket,
  { service, metadata }: GrpcProbeSettings,
  authority: string,
  timeoutMs: number,
  done: (result: ProbeResult) => void,
): void {
  const session = openSession(socket, done);
  const fields = {
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    ':authority': authority,
    ':scheme': 'http',
    te: 'trailers',
    'content-type': 'application/grpc',
    'user-agent': USER_AGENT,
    ...Object.fromEntries([...metadata]),
    'grpc-timeout': `${timeoutMs}m`,
  };
  const stream = openHttp2Stream(session, fields, {}, () => done('network'));
  const reader = new FrameReader();
  let isServing = false;
  let status: unknown;
  stream.on('response', (headers) => (status = headers['grpc-status']));
  stream.on('trailers', (headers) => (status = headers['grpc-status']));
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const { message } of reader.push(chunk)) {
        isServing = fromBinary(HealthCheckResponseSchema, message).status === Serving.SERVING;
      }
    } catch {
      // An answer that cannot be read says no more than that the host does not serve as it should.
      isServing = false;
    }
  });
  stream.on('end', () => done(isServing && Number(status) === 0 ? 'passed' : 'failed'));
  stream.end(frameOf(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }))));
}

function judge(status: number, body: Buffer, settings: HttpProbeSettings): ProbeResult {
  if (settings.isExpected(status)) return holds(body, settings.receive) ? 'passed' : 'failed';
  return settings.isRetriable(status) ? 'retriable' : 'failed';
}

/** The first bytes of a body. */
class BodyStart {
  readonly #chunks: Buffer[] = [];
  #missing: number;

  constructor(maxBytes: number) {
    this.#missing = maxBytes;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  push(chunk: Buffer): void {
    if (this.#missing === 0) return;
    const taken = chunk.subarray(0, this.#missing);
    this.#missing -= taken.length;
    this.#chunks.push(taken);
  }
}

/** All of these, one after another. */
function holds(bytes: Buffer, wanted: readonly Buffer[]): boolean {
  let at = 0;
  for (const each of wanted) {
    const found = bytes.indexOf(each, at);
    if (found === -1) return false;
    at = found + each.length;
  }
  return true;
}
