import { frame, FrameFlag, FrameType, fieldSection, settings, uint32 } from '@flotilla/http-codec/testing';
import type { Reader } from './read-fields.ts';

const KINDS = {
  request: FrameType.headers,
  response: FrameType.headers,
  trailers: FrameType.headers,
  data: FrameType.data,
  priority: FrameType.priority,
  rst: FrameType.rstStream,
  settings: FrameType.settings,
  ping: FrameType.ping,
  goaway: FrameType.goaway,
  window: FrameType.windowUpdate,
  continuation: FrameType.continuation,
  other: 99,
} as const;

type FrameKind = keyof typeof KINDS;

const REQUEST = { ':method': 'GET', ':path': '/', ':scheme': 'http', ':authority': 'web.test' };
const RESPONSE = { ':status': '200' };

/** A frame of a scenario, as it is sent: no rule is kept. */
export interface ScriptedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: (fill: (text: string) => string) => Buffer;
  /** How often. */
  readonly times: number;
}

/**
 * Decodes a frame: its kind with its stream, and what it holds. `fields` (`name: value`, split at the first colon with a
 * space) go after those that every request or response has, or replace them. `end` ends the stream, `more` says that
 * the fields go on in a continuation.
 */
export function decodeFrame(reader: Reader): ScriptedFrame {
  const kinds = Object.keys(KINDS) as FrameKind[]; // of the table above
  const kind = kinds.find((each) => reader.has(each)) ?? reader.fail('', `is no frame: ${reader.names().join(', ')}`);
  const stream = reader.number(kind) ?? 0;
  const isSection = KINDS[kind] === FrameType.headers || kind === 'continuation';
  const ends = reader.boolean('end') === true ? FrameFlag.endStream : 0;
  const isWhole = isSection && reader.boolean('more') !== true ? FrameFlag.endHeaders : 0;
  const decoded: ScriptedFrame = {
    type: kind === 'other' ? (reader.number('type') ?? KINDS.other) : KINDS[kind],
    flags: (reader.number('flags') ?? 0) | ends | isWhole,
    stream,
    payload: isSection ? decodeSection(reader, kind) : decodePayload(reader, kind),
    times: reader.number('times') ?? 1,
  };
  reader.finish();
  return decoded;
}

function decodeSection(reader: Reader, kind: FrameKind): ScriptedFrame['payload'] {
  const lines = reader.strings('fields') ?? [];
  const base: Readonly<Record<string, string>> = kind === 'request' ? REQUEST : kind === 'response' ? RESPONSE : {};
  const given = lines.map((line): readonly [string, string] => {
    const at = line.indexOf(': ');
    return at === -1
      ? reader.fail('fields', `has no colon and space: ${line}`)
      : [line.slice(0, at), line.slice(at + 2)];
  });
  const pseudo = Object.entries(base).filter(([name]) => !given.some(([own]) => own === name));
  const first = given.filter(([name]) => name in base);
  const others = given.filter(([name]) => !(name in base));
  return (fill) => fieldSection([...pseudo, ...first, ...others].map(([name, value]) => [name, fill(value)]));
}

function decodePayload(reader: Reader, kind: FrameKind): ScriptedFrame['payload'] {
  const text = reader.string('text') ?? (kind === 'ping' ? '8 octets' : '');
  const number = reader.number('code') ?? reader.number('by');
  const pairs = reader.list('entries');
  if (kind === 'settings') {
    const entries = (pairs ?? []).map((pair): [number, number] => {
      if (!Array.isArray(pair)) return reader.fail('entries', 'must be a list of pairs');
      return [Number(pair[0]), Number(pair[1])];
    });
    return () => settings(entries);
  }
  if (kind === 'goaway') return () => Buffer.concat([uint32(0), uint32(number ?? 0)]);
  if (kind === 'priority') return () => Buffer.concat([uint32(number ?? 0), Buffer.from([16])]);
  if (number !== null) return () => uint32(number);
  return (fill) => Buffer.from(fill(text), 'latin1');
}

/** The bytes of frames one after another. `streamOf`: the stream that one is sent on. */
export function bytesOf(
  frames: readonly ScriptedFrame[],
  fill: (text: string) => string,
  streamOf: (stream: number) => number = (stream) => stream,
): Buffer {
  return Buffer.concat(
    frames.flatMap(({ type, flags, stream, payload, times }) =>
      Array.from({ length: times }, () => frame(type, flags, streamOf(stream), payload(fill))),
    ),
  );
}
