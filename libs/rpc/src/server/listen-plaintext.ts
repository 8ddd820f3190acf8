import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { createHttp1Server, type NodeHandler } from '@flotilla/http-port';
import { createHttp2Server } from '@flotilla/sockets/http2';
import { http2Options } from './limits.ts';
import type { ServerOwner } from './owner.ts';

// RFC 9113, section 3.4. Three bytes tell it from every HTTP/1.1 method.
const PREFACE = Buffer.from('PRI');

/**
 * A server for HTTP/1.1 and for HTTP/2 with prior knowledge (h2c) on one port, told apart by the first bytes.
 * Not listening yet.
 */
export function createPlaintextServer(
  handler: NodeHandler,
  onSession: (session: ServerHttp2Session) => void,
  maxConcurrentStreams: number,
  owner: ServerOwner,
): Server {
  const h2 = createHttp2Server(http2Options(maxConcurrentStreams), owner).on('request', handler);
  h2.on('session', onSession);
  // node:http does the listening, so that it times slow requests out and knows its idle connections.
  const server = createHttp1Server(handler, owner);
  const serveHttp1 = server.listeners('connection').map((listener) => (socket: Socket) => {
    listener.call(server, socket);
  });
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    socket.on('error', owner.onSocketError);
    sniff(socket, server.headersTimeout, (isHttp2) => {
      if (isHttp2) h2.emit('connection', socket);
      else for (const serve of serveHttp1) serve(socket);
    });
  });
  return server;
}

/** Reads as many bytes as it takes to tell, gives them back, and says whether they begin the HTTP/2 preface. */
function sniff(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean) => void): void {
  let start = Buffer.alloc(0);
  const giveUp = () => socket.destroy();
  const onReadable = () => {
    const bytes: Buffer | null = socket.read();
    if (bytes === null) return;
    start = Buffer.concat([start, bytes]);
    if (start.length < PREFACE.length && PREFACE.subarray(0, start.length).equals(start)) return;
    socket.off('readable', onReadable).off('end', giveUp).off('error', giveUp).off('timeout', giveUp);
    socket.setTimeout(0);
    socket.unshift(start);
    decide(start.subarray(0, PREFACE.length).equals(PREFACE));
  };
  socket.setTimeout(timeoutMs);
  socket.on('readable', onReadable).on('end', giveUp).on('error', giveUp).on('timeout', giveUp);
}
