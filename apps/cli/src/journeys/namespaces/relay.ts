import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** `pass`: as if it were not there. `slow`: a byte a second, each way. `garbage`: clients are answered with random bytes. */
export type RelayMode = 'garbage' | 'pass' | 'slow';

const TICK_MS = 1_000;
const GARBAGE_BYTES = 64;

/** Stands between clients and a server, and treats their connections, those there and new ones, as it is told. */
export class Relay {
  readonly address: string;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #ticker: NodeJS.Timeout;
  #mode: RelayMode = 'pass';

  private constructor(server: Server, target: string, host: string) {
    this.#server = server;
    // A listening TCP server always has one.
    this.address = `${host}:${(server.address() as AddressInfo).port}`;
    const at = target.lastIndexOf(':');
    const to = { host: target.slice(0, at), port: Number(target.slice(at + 1)) };
    server.on('connection', (client: Socket) => {
      const pair = new Pair(client, connect(to), () => this.#mode);
      this.#pairs.add(pair);
      client.once('close', () => this.#pairs.delete(pair));
    });
    this.#ticker = setInterval(() => {
      for (const pair of this.#pairs) pair.tick();
    }, TICK_MS);
  }

  /** In front of `target`, on a free port of `host`. */
  static async open(target: string, host: string): Promise<Relay> {
    const server = createServer({ pauseOnConnect: true }).listen(0, host);
    await once(server, 'listening');
    return new Relay(server, target, host);
  }

  set mode(mode: RelayMode) {
    this.#mode = mode;
    // What was said in another mode is spoilt or far behind.
    if (mode === 'pass') for (const pair of this.#pairs) pair.destroy();
    else for (const pair of this.#pairs) pair.tick();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#server.close();
    for (const pair of this.#pairs) pair.destroy();
  }
}

class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #mode: () => RelayMode;
  /** What slow directions hold back. */
  readonly #held = new Map<Socket, Buffer>();

  constructor(client: Socket, server: Socket, mode: () => RelayMode) {
    this.#client = client;
    this.#server = server;
    this.#mode = mode;
    this.#pass(client, server);
    this.#pass(server, client);
    client.resume();
  }

  tick(): void {
    if (this.#mode() === 'garbage') this.#client.write(randomBytes(GARBAGE_BYTES));
    if (this.#mode() !== 'slow') return;
    for (const [from, held] of this.#held) {
      (from === this.#client ? this.#server : this.#client).write(held.subarray(0, 1));
      if (held.length > 1) this.#held.set(from, held.subarray(1));
      else {
        this.#held.delete(from);
        from.resume();
      }
    }
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #pass(from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      if (this.#mode() === 'pass') to.write(chunk);
      else if (this.#mode() === 'slow') {
        this.#held.set(from, Buffer.concat([this.#held.get(from) ?? Buffer.alloc(0), chunk]));
        from.pause();
      }
    });
    from.on('error', () => undefined);
    from.on('close', () => to.destroy());
  }
}
