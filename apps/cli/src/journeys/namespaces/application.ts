import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

/*
 * An application without knowledge of any mesh, on all addresses of both families:
 * `node application.ts http=8080,9999 greet=9000 udp=5353`
 *   http   answers with what it was asked, as JSON
 *   greet  speaks first, then echoes
 *   udp    echoes
 */

/** What the HTTP ports answer. */
export interface Echo {
  readonly path: string;
  readonly from: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export const GREETING = '220 welcome\r\n';

function serve(kind: string, port: number): void {
  switch (kind) {
    case 'http': {
      const server = createServer((request, response) => {
        const { url = '', headers, socket } = request;
        const echo: Echo = { path: url, from: socket.remoteAddress ?? '', headers };
        response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(echo)}\n`);
      });
      // Proxies keep connections for longer than Node's five seconds.
      server.keepAliveTimeout = 0;
      server.listen(port, '::');
      break;
    }
    case 'greet':
      createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.write(GREETING);
        socket.pipe(socket);
      }).listen(port, '::');
      break;
    case 'udp': {
      const socket = createSocket('udp6');
      socket.on('message', (message, from) => socket.send(message, from.port, from.address));
      socket.bind(port, '::');
      break;
    }
    default:
      throw new Error(`there is no kind ${kind}`);
  }
}

if (import.meta.main) {
  for (const argument of process.argv.slice(2)) {
    const [kind = '', ports = ''] = argument.split('=');
    for (const port of ports.split(',')) serve(kind, Number(port));
  }
}
