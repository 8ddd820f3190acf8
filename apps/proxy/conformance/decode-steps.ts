import { decodeFrame } from './frames.ts';
import { decodeTls } from './decode-upstreams.ts';
import type { Reader } from './read-fields.ts';
import type { Request, Step, UpstreamScript } from './scenario.ts';

const METHODS = ['get', 'head', 'post', 'put', 'delete', 'options', 'patch', 'trace', 'connect_to'] as const;

/** Decodes `client:`, a list of maps each with one verb. */
export function decodeSteps(
  readers: readonly Reader[],
  upstreams: Readonly<Record<string, UpstreamScript>>,
): readonly Step[] {
  return readers.flatMap((reader) => {
    const steps = decodeStep(reader, upstreams);
    reader.finish();
    return steps;
  });
}

function decodeStep(reader: Reader, upstreams: Readonly<Record<string, UpstreamScript>>): Step[] {
  const method = METHODS.find((each) => reader.has(each));
  if (method !== undefined) {
    const name = method === 'connect_to' ? 'CONNECT' : method.toUpperCase();
    return [{ kind: 'request', request: decodeRequest(reader, name, reader.string(method) ?? '/') }];
  }
  const request = reader.reader('request');
  if (request !== null) {
    const decoded = decodeRequest(request, request.string('method') ?? 'GET', request.string('path') ?? '/');
    request.finish();
    return [{ kind: 'request', request: decoded }];
  }
  const raw = reader.string('raw');
  if (raw !== null) {
    const count = reader.number('reads') ?? 1;
    const read: Step = { kind: 'read', count, of: reader.string('of') ?? '' };
    return count === 0 ? [{ kind: 'send', text: raw }] : [{ kind: 'send', text: raw }, read];
  }
  const known = (field: string, upstream: string): string =>
    upstreams[upstream] === undefined ? reader.fail(field, `names no upstream: ${upstream}`) : upstream;
  const awaited = reader.reader('await');
  if (awaited !== null) {
    return awaited
      .names()
      .map((name) => ({ kind: 'await', upstream: known('await', name), requests: awaited.number(name) ?? 1 }));
  }
  const until = reader.reader('until');
  if (until !== null) {
    const step: Step = { kind: 'until', stat: until.string('stat') ?? '', is: until.number('is') ?? 1 };
    until.finish();
    return [step];
  }
  const connect = reader.reader('connect');
  if (connect !== null) {
    const step: Step = {
      kind: 'connect',
      connect: {
        name: connect.string('name') ?? '',
        as: connect.oneOf('as', ['h1', 'h2', 'frames', 'tcp']) ?? 'h1',
        tls: decodeTls(connect.reader('tls')),
        before: connect.string('before') ?? '',
        to: connect.string('to') ?? '',
      },
    };
    connect.finish();
    return [step];
  }
  if (reader.has('on')) return [{ kind: 'on', name: reader.string('on') ?? '' }];
  if (reader.has('send')) return [{ kind: 'send', text: reader.string('send') ?? '' }];
  const frames = reader.readers('frames');
  if (frames !== null) return [{ kind: 'frames', frames: frames.map(decodeFrame) }];
  if (reader.has('read')) return [{ kind: 'read', count: reader.number('read') ?? 1, of: reader.string('of') ?? '' }];
  if (reader.has('read_bytes')) return [{ kind: 'read-bytes', bytes: reader.number('read_bytes') ?? 0 }];
  if (reader.has('rst')) return [{ kind: 'rst', code: reader.number('rst') ?? 8 }];
  if (reader.has('release')) {
    return [{ kind: 'release', upstream: known('release', reader.string('release') ?? '') }];
  }
  for (const kind of ['read_close', 'end', 'close', 'reset'] as const) {
    if (reader.boolean(kind) === true) return [{ kind: kind === 'read_close' ? 'read-close' : kind }];
  }
  return reader.fail('', `is no step: ${reader.names().join(', ')}`);
}

function decodeRequest(reader: Reader, method: string, path: string): Request {
  return {
    method,
    path,
    host: reader.boolean('omit_host') === true ? null : (reader.string('host') ?? 'web.test'),
    headers: reader.headers('headers') ?? [],
    body: reader.string('body'),
    chunks: reader.strings('chunks'),
    trailers: reader.headers('trailers') ?? [],
    version: reader.string('version') ?? 'HTTP/1.1',
    reads: reader.boolean('reads') ?? true,
    times: reader.number('times') ?? 1,
  };
}
