import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/*
 * Run in a network namespace: takes connections on the Unix socket named by its argument, which is reached from every
 * namespace, reads a line `host port` from each, and joins it to a connection to there.
 */
const [path = ''] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.once('error', () => socket.destroy());
  let head = '';
  const read = (): void => {
    for (let byte = socket.read(1); byte !== null; byte = socket.read(1)) {
      if (byte[0] !== 0x0a) {
        head += String(byte);
        continue;
      }
      socket.off('readable', read);
      const [host = '', port = ''] = head.split(' ');
      join(socket, connect({ host, port: Number(port), allowHalfOpen: true }));
      return;
    }
  };
  socket.on('readable', read);
});

function join(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.pipe(to);
    from.once('error', () => to.destroy());
    from.once('close', () => to.destroy());
  }
}

await once(server.listen(path), 'listening');
console.log('ready');
