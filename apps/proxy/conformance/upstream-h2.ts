import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Certificates } from './certificates.ts';
import { fieldsOf } from './fields-h2.ts';
import type { Answer, UpstreamScript } from './scenario.ts';
import { listenLocally, tlsOptions, type Upstream } from './upstream-server.ts';

/** A scripted HTTP/2 server, with prior knowledge or over TLS. */
export async function openUpstreamH2(
  name: string,
  script: UpstreamScript,
  certificates: Certificates,
): Promise<Upstream> {
  const seen: string[] = [];
  const held: (() => void)[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server =
    script.tls === null
      ? createServer()
      : createSecureServer(tlsOptions({ alpn: ['h2'], ...script.tls }, certificates));
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.on('close', () => sessions.delete(session));
  });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const head = Object.entries(headers).flatMap(([field, value]) =>
      (Array.isArray(value) ? value : [value]).map((each) => `${field}: ${String(each)}`),
    );
    const answer = script.answers[Math.min(seen.length, script.answers.length - 1)] ?? {};
    const at = seen.push(`${head.join('\n')}\n[not whole]`) - 1;
    let body = '';
    let trailers = '';
    const act = (): void => respond(answer, name, stream);
    const go = (): void => void (answer.hold === true ? held.push(act) : act());
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1');
      if (answer.then === 'echo') stream.write(chunk);
    });
    stream.on('trailers', (fields) => {
      trailers = Object.entries(fields)
        .map(([field, value]) => `\n[trailer] ${field}: ${String(value)}`)
        .join('');
    });
    stream.on('end', () => {
      seen[at] = head.join('\n') + (body === '' ? '' : `\n[body] ${body}`) + trailers;
      if (answer.early !== true) go();
      else if (answer.then === 'echo') stream.end();
    });
    stream.on('aborted', () => (seen[at] += `\n[reset ${stream.rstCode}]`));
    if (answer.early === true) go();
  });
  const port = await listenLocally(server);
  return {
    name,
    port,
    seen: () => seen,
    requests: () => seen.length,
    release: () => held.splice(0).forEach((go) => go()),
    close() {
      for (const session of sessions) session.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function respond(answer: Answer, name: string, stream: ServerHttp2Stream): void {
  if (stream.destroyed) return;
  const { status = 200, headers = [`x-from: ${name}`], trailers = [], rst } = answer;
  switch (answer.do) {
    case 'hang':
      return;
    case 'close':
      return stream.session?.destroy();
    case 'reset':
      return stream.close(rst ?? 2);
    case 'goaway':
      stream.session?.goaway(0);
      break;
    case undefined:
      break;
  }
  for (const each of answer.informational ?? []) stream.additionalHeaders({ ':status': Number.parseInt(each, 10) });
  const body = answer.chunks?.join('') ?? answer.body ?? (trailers.length > 0 ? '' : `hello from ${name}`);
  const isEmpty = body === '' && trailers.length === 0 && rst === undefined && answer.then !== 'echo';
  if (trailers.length > 0) {
    stream.on('wantTrailers', () => stream.sendTrailers(fieldsOf(trailers)));
  }
  stream.respond({ ':status': status, ...fieldsOf(headers) }, {
    endStream: isEmpty,
    waitForTrailers: trailers.length > 0,
    sendDate: false,
  } as { endStream: boolean });
  if (isEmpty || answer.then === 'echo') return;
  if (rst !== undefined) {
    stream.write(body, () => stream.close(rst));
    return;
  }
  stream.end(body);
}
