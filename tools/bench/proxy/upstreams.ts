import { readFileSync } from 'node:fs';
import http2, { type ServerHttp2Stream } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/*
 * `node upstreams.ts <plain port> <mutual TLS port> <gRPC port> <folder of certificates>`: answers whatever comes with as
 * little work as Node can do. The last part of the path is the size of the body in KiB.
 */
const [plainPort, tlsPort, grpcPort, folder = ''] = process.argv.slice(2);

const responses = new Map<string, { readonly kept: Buffer; readonly last: Buffer }>();

function responseTo(path: string): { readonly kept: Buffer; readonly last: Buffer } {
  let response = responses.get(path);
  if (response === undefined) {
    const body = 'x'.repeat(1024 * (Number(path.slice(path.lastIndexOf('/') + 1)) || 0));
    const head = (more: string) =>
      Buffer.from(`HTTP/1.1 200 OK\r\n${more}content-length: ${body.length}\r\n\r\n${body}`);
    response = { kept: head(''), last: head('connection: close\r\n') };
    responses.set(path, response);
  }
  return response;
}

function serve(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    const text = chunk.toString('latin1');
    if (!text.endsWith('\r\n\r\n')) return;
    const { kept, last } = responseTo(text.slice(4, text.indexOf(' ', 4)));
    if (/^connection: close\r$/im.test(text)) socket.end(last);
    else socket.write(kept);
  });
}

createServer({ noDelay: true }, serve).listen(Number(plainPort), '127.0.0.1');

const pem = (name: string) => readFileSync(`${folder}/${name}.pem`, 'utf8');
createTlsServer(
  { cert: pem('cert'), key: pem('key'), ca: pem('ca'), requestCert: true, rejectUnauthorized: true, noDelay: true },
  serve,
).listen(Number(tlsPort), '127.0.0.1');

const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 16]), Buffer.alloc(16, 'x')]);
const grpc = http2.createServer();
grpc.on('stream', (stream: ServerHttp2Stream) => {
  stream.on('error', () => undefined).resume();
  stream.on('end', () => {
    if (stream.destroyed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(MESSAGE);
  });
});
grpc.listen(Number(grpcPort), '127.0.0.1');
