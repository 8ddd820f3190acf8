import { FlotillaError, type Random } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { createTcpServer, listen } from '@flotilla/sockets/tcp';

// Below the range from which systems take ports for outgoing connections (32768 on Linux, 49152 on macOS),
// so that a port found free is not handed to a client a moment later.
const FIRST_PORT = 16_000;
const LAST_PORT = 32_000;

/** Hands out free loopback ports, each once. Ports need to be known before the processes that bind them start. */
export class PortAllocator {
  readonly #taken = new Set<number>();
  #next: number;

  constructor(random: Random = Math.random) {
    this.#next = FIRST_PORT + Math.floor(random() * (LAST_PORT - FIRST_PORT));
  }

  /** A free port. Throws `exhausted` when none of the range is free. */
  async free(host = '127.0.0.1'): Promise<number> {
    for (let tries = FIRST_PORT; tries < LAST_PORT; tries++) {
      const port = this.#next;
      this.#next = port + 1 >= LAST_PORT ? FIRST_PORT : port + 1;
      if (!this.#taken.has(port) && (await bindError(port, host)) === null) {
        this.#taken.add(port);
        return port;
      }
    }
    throw new FlotillaError('exhausted', `no free port between ${FIRST_PORT} and ${LAST_PORT} on ${host}`);
  }

  /** Takes a port that the user named, or any free one for 0. Throws `system` when it is in use. */
  async claim(port: number, purpose: string, host = '127.0.0.1'): Promise<number> {
    if (port === 0) return this.free(host);
    const error = this.#taken.has(port) ? 'EADDRINUSE' : await bindError(port, host);
    if (error === null) {
      this.#taken.add(port);
      return port;
    }
    throw portError(port, purpose, error);
  }
}

function portError(port: number, purpose: string, code: string): FlotillaError {
  if (code === 'EACCES') {
    return new FlotillaError('system', `port ${port} for ${purpose} needs more rights than this user has`, {
      hint: 'Choose a port of 1024 or above in the mesh file.',
    });
  }
  return new FlotillaError('system', `port ${port} for ${purpose} is in use`, {
    hint: `Stop what listens there (ss -ltnp 'sport = :${port}'), or choose another port in the mesh file; 0 takes a free one.`,
  });
}

/** Null when the port can be bound now, otherwise the errno. */
async function bindError(port: number, host: string): Promise<string | null> {
  const probe = createTcpServer({}, { onError: closeFollows, onSocketError: closeFollows }, null);
  try {
    await listen(probe, { port, host, exclusive: true });
  } catch (error) {
    // What a server says when it cannot listen.
    return (error as NodeJS.ErrnoException).code ?? 'EADDRINUSE';
  }
  return new Promise((resolve) => probe.close(() => resolve(null)));
}
