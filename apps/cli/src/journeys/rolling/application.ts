import { createServer as createServerH1 } from 'node:http';
import { createServer as createServerH2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Server } from 'node:net';

/**
 * A well-behaved application: HTTP/1.1 on `PORT_HTTP`, whose idle connections end after a second, and HTTP/2 on
 * `PORT_HTTP2`. It says who it is. Told to end, it takes no
 * more connections, answers what comes on those it has, and goes with the last of them.
 */
const name = process.argv[2] ?? '';
const IDLE_MS = 1_000;

let isEnding = false;
const h1 = createServerH1((request, response) => {
  response.shouldKeepAlive &&= !isEnding;
  request.resume();
  request.once('end', () => response.end(name));
});
h1.keepAliveTimeout = IDLE_MS;
// Node adds a second of its own otherwise.
h1.keepAliveTimeoutBuffer = 0;
h1.listen(portOf('PORT_HTTP'), '127.0.0.1');

const sessions = new Set<ServerHttp2Session>();
const h2 = createServerH2();
h2.on('session', (session) => {
  sessions.add(session);
  session.once('close', () => sessions.delete(session));
  session.on('error', () => session.destroy());
});
h2.on('stream', (stream: ServerHttp2Stream) => {
  stream.on('error', () => stream.destroy());
  stream.resume();
  stream.once('end', () => {
    if (!stream.destroyed) stream.respond({ ':status': 200 });
    stream.end(name);
  });
});
h2.listen(portOf('PORT_HTTP2'), '127.0.0.1');

process.once('SIGTERM', () => {
  isEnding = true;
  // That of `http` would end idle connections at once, and a request that is on its way with them.
  Server.prototype.close.call(h1);
  h2.close();
  for (const session of sessions) session.close();
});

function portOf(variable: string): number {
  return Number(process.env[variable]);
}
