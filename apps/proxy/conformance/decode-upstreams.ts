import { decodeFrame } from './frames.ts';
import type { Reader } from './read-fields.ts';
import type { Answer, TcpAct, TlsSide, UpstreamScript } from './scenario.ts';

/** Decodes `upstreams:`; without it there is one, `web`. */
export function decodeUpstreams(reader: Reader | null): Readonly<Record<string, UpstreamScript>> {
  if (reader === null) return { web: { kind: 'http1', answers: [{}], acts: [], tls: null } };
  return Object.fromEntries(
    reader.names().map((name) => {
      const each = reader.reader(name);
      if (each === null) return [name, { kind: 'http1', answers: [{}], acts: [], tls: null }];
      const script: UpstreamScript = {
        kind: each.oneOf('kind', ['http1', 'http2', 'frames', 'tcp', 'dead', 'none']) ?? 'http1',
        answers: each.readers('answers')?.map(decodeAnswer) ?? [{}],
        acts: each.readers('acts')?.map(decodeAct) ?? [{ echo: true }],
        tls: decodeTls(each.reader('tls')),
      };
      each.finish();
      return [name, script];
    }),
  );
}

export function decodeTls(reader: Reader | null): TlsSide | null {
  if (reader === null) return null;
  const tls: TlsSide = {
    sni: reader.string('sni') ?? '',
    ...given('alpn', reader.strings('alpn')),
    ...given('cert', reader.string('cert')),
    asks: reader.boolean('asks') ?? false,
    ...given('min', reader.string('min')),
    ...given('max', reader.string('max')),
  };
  reader.finish();
  return tls;
}

function decodeAnswer(reader: Reader): Answer {
  const answer: Answer = {
    ...given('status', reader.number('status')),
    ...given('headers', reader.headers('headers')),
    ...given('body', reader.string('body')),
    ...given('chunks', reader.strings('chunks')),
    ...given('trailers', reader.headers('trailers')),
    ...given('raw', reader.string('raw')),
    ...given('informational', reader.strings('informational')),
    ...given('early', reader.boolean('early')),
    ...given('hold', reader.boolean('hold')),
    ...given('then', reader.oneOf<'close' | 'reset' | 'echo'>('then', ['close', 'reset', 'echo'])),
    ...given('do', reader.oneOf<'hang' | 'close' | 'reset' | 'goaway'>('do', ['hang', 'close', 'reset', 'goaway'])),
    ...given('rst', reader.number('rst')),
    ...given('frames', reader.readers('frames')?.map(decodeFrame) ?? null),
  };
  reader.finish();
  return answer;
}

function decodeAct(reader: Reader): TcpAct {
  const act: TcpAct = {
    ...given('send', reader.string('send')),
    ...given('expect', reader.number('expect')),
    ...given('echo', reader.boolean('echo')),
    ...given('end', reader.boolean('end')),
    ...given('reset', reader.boolean('reset')),
  };
  reader.finish();
  return act;
}

function given<K extends string, const T>(field: K, value: T | null): { readonly [field in K]?: T } {
  // A computed field has no exact type of its own.
  return value === null ? {} : ({ [field]: value } as { readonly [field in K]: T });
}
