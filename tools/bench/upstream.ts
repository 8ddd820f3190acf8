import { createServer } from 'node:net';

/*
 * `node upstream.ts <port>`: answers every request head with 1 KiB, on all addresses; as little work as Node can do.
 */
const BODY = 'x'.repeat(1_024);
const KEPT = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`);
const LAST = Buffer.from(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`);

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    const head = chunk.toString('latin1');
    if (!head.endsWith('\r\n\r\n')) return;
    if (/^connection: close\r$/im.test(head)) socket.end(LAST);
    else socket.write(KEPT);
  });
}).listen(Number(process.argv[2]), '::');
