import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** Addresses of another network namespace as ports of this machine, through `relay` there. */
export class Tunnel {
  readonly #relay: ChildProcess;
  readonly #socket: string;
  readonly #servers: Server[] = [];

  private constructor(relay: ChildProcess, socket: string) {
    this.#relay = relay;
    this.#socket = socket;
  }

  /** `spawnInside` starts a program in the other namespace; `folder` takes the socket. */
  static async open(
    spawnInside: (program: string, args: readonly string[]) => ChildProcess,
    folder: string,
  ): Promise<Tunnel> {
    const socket = join(folder, 'relay');
    const relay = spawnInside(process.execPath, [join(import.meta.dirname, 'relay.ts'), socket]);
    const ended = once(relay, 'exit').then(() => Promise.reject(new Error('the relay ended before it listened')));
    if (relay.stdout === null) throw new Error('the relay has no standard output');
    await Promise.race([once(relay.stdout, 'data'), ended]);
    ended.catch(() => undefined); // At the end it does.
    return new Tunnel(relay, socket);
  }

  /** The port of 127.0.0.1 here that is `host:port` there. */
  async forward(host: string, port: number): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ path: this.#socket, allowHalfOpen: true });
      far.write(`${host} ${port}\n`);
      near.pipe(far).pipe(near);
      near.once('error', () => far.destroy()).once('close', () => far.destroy());
      far.once('error', () => near.destroy()).once('close', () => near.destroy());
    });
    this.#servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // A listening TCP server always has one.
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    const exited = once(this.#relay, 'exit');
    this.#relay.kill('SIGKILL');
    await exited;
  }
}
