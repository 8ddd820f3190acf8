import { createServer, type Socket } from 'node:net';
import { frame, FrameFlag, FrameType, PREFACE } from '@flotilla/http-codec/testing';
import { FrameLog } from './frame-log.ts';
import { bytesOf } from './frames.ts';
import type { Answer, UpstreamScript } from './scenario.ts';
import { listenLocally, type Upstream } from './upstream-server.ts';

/**
 * A server that answers requests with frames of HTTP/2 as they are scripted. Each but those of stream 0 goes on the
 * request's stream. With `early` they go as soon as the head is there, else when the request has ended.
 */
export async function openUpstreamFrames(name: string, script: UpstreamScript): Promise<Upstream> {
  const logs: FrameLog[] = [];
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  let requests = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    const log = new FrameLog();
    logs.push(log);
    const waiting = new Map<number, Answer>();
    let skip = PREFACE.length;
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.write(frame(FrameType.settings, 0, 0));
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(skip, chunk.length);
      skip -= skipped;
      for (const { type, flags, stream } of log.read(chunk.subarray(skipped))) {
        if (type === FrameType.settings && (flags & FrameFlag.ack) === 0) {
          socket.write(frame(FrameType.settings, FrameFlag.ack, 0));
        }
        if (type === FrameType.headers && !waiting.has(stream)) {
          waiting.set(stream, script.answers[Math.min(requests, script.answers.length - 1)] ?? {});
          requests += 1;
          if (waiting.get(stream)?.early === true) respond(stream, waiting.get(stream));
        }
        const isEnd = (type === FrameType.headers || type === FrameType.data) && (flags & FrameFlag.endStream) !== 0;
        if (isEnd && waiting.get(stream)?.early !== true) respond(stream, waiting.get(stream));
      }
    });
    function respond(stream: number, answer: Answer = {}): void {
      const act = (): void => {
        if (socket.destroyed) return;
        socket.write(
          bytesOf(
            answer.frames ?? [],
            (text) => text,
            (of) => (of === 0 ? 0 : stream),
          ),
        );
        if (answer.then === 'close') socket.end();
        if (answer.then === 'reset') setImmediate(() => socket.resetAndDestroy());
      };
      if (answer.hold === true) held.push(act);
      else act();
    }
  });
  const port = await listenLocally(server);
  return {
    name,
    port,
    seen: () => logs.flatMap((log) => log.streams()),
    requests: () => requests,
    release: () => held.splice(0).forEach((go) => go()),
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
