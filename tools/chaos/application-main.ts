import { createServer } from 'node:http';

/* An application: `node application-main.ts NAME PORT` answers everything with its name. */
const [name = '', port = ''] = process.argv.slice(2);
const server = createServer((_, response) => response.end(name));
// Sidecars keep connections for longer than Node's five seconds.
server.keepAliveTimeout = 0;
server.listen(Number(port), '127.0.0.1');
