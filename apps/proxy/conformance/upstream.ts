import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificates } from './certificates.ts';
import { findMessage, showMessage } from './message-h1.ts';
import type { Answer, TcpAct, UpstreamScript } from './scenario.ts';
import { openUpstreamFrames } from './upstream-frames.ts';
import { openUpstreamH2 } from './upstream-h2.ts';
import { listenLocally, tlsOptions, type Upstream } from './upstream-server.ts';

export function openUpstream(name: string, script: UpstreamScript, certificates: Certificates): Promise<Upstream> {
  switch (script.kind) {
    case 'http2':
      return openUpstreamH2(name, script, certificates);
    case 'frames':
      return openUpstreamFrames(name, script);
    case 'tcp':
      return openTcp(name, script, certificates);
    default:
      return openHttp1(name, script, certificates);
  }
}

async function openHttp1(name: string, script: UpstreamScript, certificates: Certificates): Promise<Upstream> {
  const seen: string[] = [];
  const held: (() => void)[] = [];
  return await listen(name, script, certificates, {
    seen: () => seen,
    requests: () => seen.length,
    release: () => held.splice(0).forEach((go) => go()),
    accept(socket) {
      let bytes = '';
      let isOver = false;
      let mode: 'http' | 'echo' | 'deaf' = 'http';
      /** The request that is arriving: its place in `seen`, and what it will get. */
      let present: { readonly at: number; readonly answer: Answer } | null = null;
      const answerWith = (answer: Answer, head: string): void => {
        respond(answer, name, socket, held, head.startsWith('HEAD '), (next) => (mode = next));
      };
      const work = (): void => {
        while (mode === 'http' && bytes.includes('\r\n\r\n')) {
          if (present === null) {
            const answer = script.answers[Math.min(seen.length, script.answers.length - 1)] ?? {};
            const head = bytes.slice(0, bytes.indexOf('\r\n\r\n')).replaceAll('\r\n', '\n');
            present = { at: seen.push(`${head}\n[not whole]`) - 1, answer };
            for (const each of answer.informational ?? []) socket.write(`HTTP/1.1 ${each}\r\n\r\n`, 'latin1');
            if (answer.early === true) answerWith(answer, head);
          }
          const message = findMessage(bytes, { isResponse: false, method: '', isOver });
          if (message === null || message === 'broken') return;
          bytes = bytes.slice(message.size);
          const { at, answer } = present;
          present = null;
          seen[at] = showMessage(message);
          if (answer.early !== true) answerWith(answer, message.head);
        }
        if (mode === 'echo' && bytes !== '') {
          seen[seen.length - 1] += `\n[then] ${bytes}`;
          socket.write(bytes, 'latin1');
          bytes = '';
        }
      };
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.toString('latin1');
        work();
      });
      socket.on('end', () => {
        isOver = true;
        socket.end();
      });
    },
  });
}

function respond(
  answer: Answer,
  name: string,
  socket: Socket,
  held: (() => void)[],
  isHead: boolean,
  setMode: (mode: 'echo' | 'deaf') => void,
): void {
  const act = (): void => {
    if (answer.do === 'hang') return setMode('deaf');
    if (answer.do === 'reset') return void socket.resetAndDestroy();
    if (answer.do === 'close') return void socket.end();
    socket.write(answer.raw ?? responseText(answer, name, isHead), 'latin1');
    if (answer.then === 'close') socket.end();
    else if (answer.then === 'reset') setImmediate(() => socket.resetAndDestroy());
    else if (answer.then === 'echo') setMode('echo');
  };
  if (answer.hold === true) held.push(act);
  else act();
}

/** An HTTP/1.1 response: of known length unless it has chunks or trailers. */
function responseText(answer: Answer, name: string, isHead: boolean): string {
  const { status = 200, headers = [`x-from: ${name}`], trailers = [] } = answer;
  const lines = [`HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Status'}`, ...headers];
  const has = (field: string): boolean => headers.some((line) => line.toLowerCase().startsWith(`${field}:`));
  if (answer.chunks !== undefined || trailers.length > 0) {
    const chunks = answer.chunks ?? [answer.body ?? ''];
    const framed = chunks
      .filter((chunk) => chunk !== '')
      .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    const end = `0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`;
    return `${[...lines, 'transfer-encoding: chunked'].join('\r\n')}\r\n\r\n${isHead ? '' : framed.join('') + end}`;
  }
  const hasNone = status === 204 || status === 304;
  const body = hasNone ? '' : (answer.body ?? `hello from ${name}`);
  if (!hasNone && !has('content-length')) lines.push(`content-length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${isHead ? '' : body}`;
}

async function openTcp(name: string, script: UpstreamScript, certificates: Certificates): Promise<Upstream> {
  const seen: string[] = [];
  const held: (() => void)[] = [];
  return await listen(name, script, certificates, {
    seen: () => seen,
    requests: () => seen.length,
    release: () => held.splice(0).forEach((go) => go()),
    accept(socket) {
      const at = seen.push('') - 1;
      let unread = 0;
      let acts: readonly TcpAct[] = script.acts;
      const work = (): void => {
        for (let [act] = acts; act !== undefined; [act] = acts) {
          if (act.expect !== undefined) {
            if (unread < act.expect) return;
            unread -= act.expect;
          }
          if (act.send !== undefined) socket.write(act.send, 'latin1');
          if (act.end === true) socket.end();
          if (act.reset === true) socket.resetAndDestroy();
          if (act.echo === true) return;
          acts = acts.slice(1);
        }
      };
      socket.on('data', (chunk: Buffer) => {
        seen[at] += chunk.toString('latin1');
        if (acts[0]?.echo === true) socket.write(chunk);
        else unread += chunk.length;
        work();
      });
      socket.on('end', () => {
        seen[at] += '[end]';
        socket.end();
      });
      work();
    },
  });
}

interface Server1 extends Pick<Upstream, 'seen' | 'requests' | 'release'> {
  accept(socket: Socket): void;
}

async function listen(
  name: string,
  { tls }: UpstreamScript,
  certificates: Certificates,
  { accept, seen, requests, release }: Server1,
): Promise<Upstream> {
  const sockets = new Set<Socket>();
  const onSocket = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    accept(socket);
  };
  const server: Server =
    tls === null
      ? createServer({ allowHalfOpen: true }, onSocket)
      : createTlsServer({ ...tlsOptions(tls, certificates), allowHalfOpen: true }, onSocket);
  server.on('tlsClientError', () => undefined);
  const port = await listenLocally(server);
  return {
    name,
    port,
    seen,
    requests,
    release,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
