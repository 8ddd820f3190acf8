import { once } from 'node:events';
import { createServer } from 'node:net';

/** The kernel gives out ports from 32768 on (Linux) to connections and to listeners on port 0. */
const FIRST = 10_000;
const AFTER_LAST = 32_768;

/**
 * Ports of loopback that nobody listens on, for programs that must be told theirs. They lie below the range that the
 * kernel gives out, so that no connection of another test takes one before its program does.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (AFTER_LAST - FIRST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** One such port. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  await once(server.close(), 'close');
  return true;
}
