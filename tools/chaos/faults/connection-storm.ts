import { connect, type Socket } from 'node:net';
import { type Fault, partsOf } from './fault.ts';

const CONNECTIONS = 500;
const WHAT_THEY_SAY = [
  '',
  'GET / HTTP/1.1\r\nhost: x\r\n',
  '\x16\x03\x01\x02\x00\x01',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff',
];

/** Hundreds of connections that say nothing, half a request or nonsense, and stay. */
export const connectionStorm: Fault = async ({ ports }, step) => {
  const [targets = []] = partsOf(ports, step);
  const sockets: Socket[] = [];
  for (let at = 0; at < CONNECTIONS; at++) {
    const socket = connect(targets[at % targets.length] ?? 0, '127.0.0.1');
    socket.on('error', () => undefined); // Refused or reset, as may be.
    socket.resume();
    socket.write(WHAT_THEY_SAY[at % WHAT_THEY_SAY.length] ?? '', 'latin1');
    sockets.push(socket);
  }
  return {
    heal: async () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};
